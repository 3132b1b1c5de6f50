"""Atomic file replacement: a reader sees the old file or the new one, never a partial one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READABLE = 0o644


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file to write, which replaces `path` on success and is deleted on failure.

    A device or a pipe is written directly, since replacing it would break its other users.
    Raises OSError, which names the path.
    """
    try:
        if path.exists() and not path.is_file():
            yield path
        else:
            with _beside(path.resolve()) as beside:  # follow a link, so that it is kept
                yield beside
    except OSError as error:
        if error.filename and Path(error.filename).parent != path.resolve().parent:
            raise  # about another file, which the caller read in between
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        beside.chmod(READABLE)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
