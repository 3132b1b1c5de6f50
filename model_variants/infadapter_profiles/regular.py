"""Read files that users supply, and refuse all but regular files of bounded size.

Reading a pipe without a writer would block for ever, and a device like /dev/zero has no end.
"""

import errno
import os
import stat
from pathlib import Path


def regular_bytes(path: Path, most_bytes: int) -> bytes:
    """Return the file's content. Raises OSError, whose reason names no path, for any other file."""
    with open(path, "rb", opener=_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file: put one there", str(path))
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        most = f"{most_bytes // 2**20} MiB" if most_bytes >= 2**20 else f"{most_bytes // 1024} KiB"
        raise OSError(errno.EFBIG, f"it is larger than {most}", str(path))
    return content


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
