"""Entry point of `infadapter`, light enough that an early Ctrl-C prints no traceback."""

import sys


def main() -> None:
    """Run the command; 130 if it was interrupted before it could handle that itself."""
    try:
        from infadapter.command_line import main as command

        command()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
