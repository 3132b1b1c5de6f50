"""Check before long work that its output can be written."""

import os
from pathlib import Path

import click

from infadapter_profiles.whole import replacing

__all__ = ["check_folder", "check_writable", "replacing"]


def check_writable(path: Path) -> None:
    """Raise a usage error if the file cannot be written, before the work that it is for."""
    folder = path.resolve().parent
    asked = path if path.exists() and not path.is_file() else folder  # a device is written itself
    if path.is_dir() or not folder.is_dir() or not os.access(asked, os.W_OK):
        raise click.UsageError(f"{path} can't be written: name a file in a folder that can.")


def check_folder(path: Path) -> None:
    """Check the same for a folder, and create it with its parents."""
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise click.UsageError(f"{path} can't be written: name a folder that can.")
