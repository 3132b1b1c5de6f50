"""The entry of `infadapter-server`, light enough that Ctrl-C never meets a traceback."""

import sys


def main() -> None:
    """Run the command; 130 if it was interrupted before it could handle that itself."""
    try:
        from infadapter_server.exit_code import end_at_once
        from infadapter_server.serving.command import command

        end_at_once(command())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
