"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

READABLE = 0o644


def check_writable(path: Path) -> None:
    """Before long work, so that it isn't lost at its end."""
    folder = path.resolve().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise click.UsageError(f"{path} can't be written: name a file in a folder that can.")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file to write, which takes this path when it is done; when it fails, nothing does."""
    folder = path.resolve().parent
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        beside.chmod(READABLE)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
