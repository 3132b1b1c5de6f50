"""Modules of ours in an interpreter of their own."""

import sys

__all__ = ["module_command"]


def module_command(module: str) -> list[str]:
    """
    `python -m` without the current folder, from which console scripts import nothing either: a
    `random.py` or `queue.py` that lies there would be taken for the library's.
    """
    return [sys.executable, "-P", "-m", module]
