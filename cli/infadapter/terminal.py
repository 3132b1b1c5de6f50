"""The width of the terminal for tables."""

import shutil
import sys


def terminal_width() -> int | None:
    """
    Return the width, or None if the output is no terminal: piped output keeps one line per row.
    """
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
