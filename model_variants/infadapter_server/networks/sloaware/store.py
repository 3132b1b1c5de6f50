"""Store arrays in files that are written atomically and checked by checksum on reading."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "infadapter" / "slo-aware"


class BadNetworkFile(ValueError):
    """A file of weights or tables is unusable; the message says what to do."""


def write(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write the arrays atomically, so that a reader never finds a partial file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}.part")
    with beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    beside.replace(path)


def read(path: Path, *names: str) -> list[npt.NDArray[Any]]:
    """Return the named arrays, checked against their CRC-32. Raises BadNetworkFile."""
    if path.exists() and not path.is_file():
        raise BadNetworkFile(f"{path} is no regular file: delete it and make it anew")
    try:
        with np.load(path, allow_pickle=False) as file:
            return [file[name] for name in names]
    except FileNotFoundError:
        raise BadNetworkFile(f"{path} is not there: make it first") from None
    except KeyError as error:
        raise BadNetworkFile(f"{path} holds no {error}: delete it and make it anew") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadNetworkFile(f"{path} is damaged ({error}): delete it and make it anew") from None
