"""How console scripts end: an exit code, and a fault as one sentence on standard error."""

import sys

import click

INTERRUPTED = 130


def exit_code_of(command: click.Command, program: str) -> int:
    """Run a command that returns its exit code; 2 is for invalid options, 130 for Ctrl-C."""
    try:
        code: int = command.main(standalone_mode=False)
    except click.ClickException as error:
        sentence = " ".join(error.format_message().split())
        print(f"{program}: {sentence}", file=sys.stderr)
        return error.exit_code
    except click.Abort:  # what click makes of KeyboardInterrupt
        return INTERRUPTED
    except OSError as error:  # of the help on a full disk
        print(f"{program}: {error.strerror or error}.", file=sys.stderr)
        return 1
    return code
