"""Where `prep` begins: from here on a signal ends it with one line, also while it imports."""

from pipeline.stopping import ending_at_once


def main() -> None:
    """Run the command line."""
    with ending_at_once():
        from pipeline.cli import main as run_command

        run_command()


if __name__ == "__main__":
    main()
