"""Files that are written whole or not at all, so that no reader ever finds half of one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READABLE = 0o644


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file to write, which takes this path when it is done; when it fails, nothing does.

    A device or a pipe is written itself: to put a file in its place would take it from everybody.
    Raises OSError, which names the path.
    """
    try:
        if path.exists() and not path.is_file():
            yield path
        else:
            with _beside(path.resolve()) as beside:  # behind a link, which stays
                yield beside
    except OSError as error:
        if error.filename and Path(error.filename).parent != path.resolve().parent:
            raise  # of another file, which was read meanwhile
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
