"""Run our modules in a separate interpreter."""

import sys

__all__ = ["module_command"]


def module_command(module: str) -> list[str]:
    """
    Return `python -m` without the current folder, as with console scripts: a `random.py` or
    `queue.py` there would shadow the library's.
    """
    return [sys.executable, "-P", "-m", module]
