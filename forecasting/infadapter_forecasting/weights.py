"""
Networks as files: a small .npz of plain arrays and their description.

Nothing is unpickled. A file whose arrays differ from its description is refused with a sentence.
"""

import io
import json
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from infadapter_forecasting.forecaster import Array

VERSION = 1
LARGEST_BYTES = 2**20
HEADER = "header"

Shapes = Mapping[str, tuple[int, ...]]


class InvalidWeights(Exception):
    """The file holds no network that can be used here; the message says why."""


def save(file: Path | IO[bytes], kind: str, arrays: Mapping[str, Array]) -> None:
    """As float32; `kind` says which method reads them again."""
    header = np.frombuffer(json.dumps({"version": VERSION, "kind": kind}).encode(), dtype=np.uint8)
    narrow = {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}
    np.savez_compressed(file, allow_pickle=False, header=header, **narrow)


def load(path: Path, kind: str, shapes: Shapes) -> dict[str, Array]:
    """The arrays of a network of this kind, each of the shape it must have and all finite."""
    try:
        with np.load(io.BytesIO(_content(path)), allow_pickle=False) as stored:
            _check_header(path, kind, stored[HEADER])
            return {name: _checked(path, name, stored[name], shapes[name]) for name in shapes}
    except KeyError as error:
        raise InvalidWeights(f"{path} lacks an array: {error.args[0]}") from error
    except OSError as error:
        raise InvalidWeights(f"{path} can't be read: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidWeights(
            f"{path} is damaged, or no file of weights: give one that training has written"
        ) from error


def _content(path: Path) -> bytes:
    """A pipe that nobody writes into would be waited for for ever, and a device has no end."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InvalidWeights(f"{path} is no regular file: give one that training has written")
    if status.st_size > LARGEST_BYTES:
        raise InvalidWeights(f"{path} is larger than {LARGEST_BYTES // 2**20} MiB")
    return path.read_bytes()


def _check_header(path: Path, kind: str, stored: np.ndarray) -> None:
    header = json.loads(stored.tobytes())
    if header.get("version") != VERSION:
        raise InvalidWeights(f"{path} has version {header.get('version')}, not {VERSION}")
    if header.get("kind") != kind:
        raise InvalidWeights(f"{path} holds a {header.get('kind')}, not a {kind}")


def _checked(path: Path, name: str, array: np.ndarray, shape: tuple[int, ...]) -> Array:
    if array.shape != shape:
        raise InvalidWeights(f"{path}: {name} has shape {array.shape}, not {shape}")
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise InvalidWeights(f"{path}: {name} holds what is not a finite number")
    return array.astype(np.float64)
