"""How wide the terminal is that tables are read in."""

import shutil
import sys


def terminal_width() -> int | None:
    """None where the output is no terminal: what is piped keeps one line for each row."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
