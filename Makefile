# make repro   rebuild everything and print the ablation table and the report's path
# make test    run all tests
# make quick   run those that train nothing and start nothing: while working
# make format  format, and mend what can be mended without asking
# make check   format, lint, layers, types
PYTHON ?= python3
BIN := .venv/bin
# DVC and the stages that it starts find `prep` here.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro test quick check format
repro: .venv/ready
	dvc repro
	@echo
	@cat processed/ablation.md
	@echo "Report: $(CURDIR)/processed/report/index.html"

test: .venv/ready
	pytest -n auto --dist loadfile --no-loadscope-reorder

quick: .venv/ready
	pytest -n auto --dist loadfile -m "not slow"

format: .venv/ready
	ruff format .
	ruff check --fix .

check: .venv/ready
	ruff format --check .
	ruff check .
	lint-imports
	mypy

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev,heic]'
	touch $@
