"""The road: one verb a file, run by dvc.yaml."""
