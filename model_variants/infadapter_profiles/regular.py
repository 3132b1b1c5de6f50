"""Files that somebody else put where a program looks: regular ones of a bounded size, or refused.

A pipe that nobody writes into would be waited for for ever, and a device like /dev/zero has no end.
"""

import errno
import os
import stat
from pathlib import Path


def regular_bytes(path: Path, most_bytes: int) -> bytes:
    """All that a file holds. Raises OSError, whose reason names no path, for all else."""
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
