"""Where `prep` begins: from here to its very end a signal ends it with one line."""

from pipeline.stopping import end_at_once_from_now_on


def main() -> None:
    """Run the command line."""
    end_at_once_from_now_on()
    from pipeline.cli import main as run_command

    run_command()


if __name__ == "__main__":
    main()
