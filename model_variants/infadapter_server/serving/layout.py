"""
A model repository in Triton's layout: NAME/config.yaml, and NAME/VERSION/ with the model.

Models that cannot be served are listed as well, with the reason, so that a client learns why.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from infadapter_server.networks.notes import measured
from infadapter_server.networks.signatures import SIGNATURES
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.config_keys import NAME
from infadapter_server.serving.model_config import (
    BATCH_SIZES,
    CONFIG_FILE,
    MISNAMED,
    TRITON,
    ConfigError,
    ModelConfig,
    read_config,
)
from infadapter_server.serving.onnx_config import read_onnx
from infadapter_server.serving.rungs import stored_rungs
from infadapter_server.serving.versions import served_version, version_of

__all__ = [
    "FILES",
    "Found",
    "Unfit",
    "found_file",
    "found_folder",
    "found_variant",
    "readable",
    "scan",
]

FILES: Mapping[str, Format] = {
    "model.pt": Format.TORCHSCRIPT,
    "model.pt2": Format.EXPORT,
    "model.onnx": Format.ONNX,
    "model.py": Format.PYTHON,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """
    A model that can be loaded. `stamp` changes with its file or configuration; `unread` is a
    sentence about ignored files beside them.
    """

    stored: Stored
    config: ModelConfig
    file_bytes: int
    stamp: str
    unread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """A folder that looks like a model but can't be served; the reason is a sentence."""

    name: str
    reason: str
    version: str = ""


def scan(folder: Path) -> dict[str, Found | Unfit]:
    """Return the models of a repository by name. Raises ConfigError if it can't be read."""
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    except OSError as error:
        raise ConfigError(_unreadable(folder, error)) from None
    return {readable(name): found_folder(name, folder / name) for name in names if name[0] != "."}


def readable(text: str) -> str:
    """
    Return printable text. File names may contain any bytes, also some that JSON or a log line must
    not contain.
    """
    known = os.fsencode(text).decode(errors="replace")
    spaced = (" " if each.isspace() else each for each in known)
    return "".join(each if each.isprintable() else "\ufffd" for each in spaced)


def found_folder(name: str, folder: Path) -> Found | Unfit:
    """Return a model: the version that its configuration names, else the highest."""
    version = ""
    try:
        if not NAME.fullmatch(name):
            raise ConfigError(f"{name[:80]!r} is no name: letters, digits, dots and dashes.")
        mark, config = _mark(folder / CONFIG_FILE), _config(folder)
        version = served_version(folder, config)
        return _found(name, version, _file(folder / version, config), config, folder, mark)
    except ConfigError as error:
        return _unfit(name, str(error), version)
    except OSError as error:
        return _unfit(name, _unreadable(folder, error), version)


def found_file(name: str, file: Path) -> Found | Unfit:
    """Return a model by its file; the configuration is beside it, or beside its version."""
    try:
        folder = _configured(file)
        mark, config = _mark(folder / CONFIG_FILE), _config(folder)
        return _found(name, version_of(file), file, config, folder, mark)
    except ConfigError as error:
        return _unfit(name, str(error))
    except OSError as error:
        return _unfit(name, _unreadable(file, error))


def _unfit(name: str, reason: str, version: str = "") -> Unfit:
    return Unfit(name=readable(name), version=version, reason=readable(reason))


def found_variant(
    name: str,
    variant: str,
    weights: Path | None = None,
    batch_sizes: tuple[int, ...] = BATCH_SIZES,
) -> Found:
    """Return a shipped variant, with its own weights or those of a file."""
    config = ModelConfig(signature=SIGNATURES[variant], variant=variant, batch_sizes=batch_sizes)
    return _found(name, variant, weights, config, None, "")


def _found(
    name: str, version: str, file: Path | None, config: ModelConfig, folder: Path | None, mark: str
) -> Found:
    """
    Return the model. `mark` is the configuration's from before it was read, as is the file's here:
    a file replaced while being read differs from its stamp at the next scan, and is read again.
    """
    files, form = [] if file is None else [file], _format(file, config)
    marks = [_mark(each) for each in files]
    if file is not None and form is Format.ONNX:
        config, beside = read_onnx(file, config)
        files += beside
    if file is None and config.accuracy is None:
        config = replace(config, accuracy=_shipped_accuracy(config.variant))
    if config.signature is None:
        raise ConfigError(
            f"{(folder or Path()) / CONFIG_FILE}: name and shape of input and output are missing; "
            "or name a variant." + _unread(folder)
        )
    place = Path() if folder is None else folder / version
    rungs = stored_rungs(config.ladder, config.signature, place, version)
    files += rungs.files
    stored = Stored(
        name=name,
        version=version,
        format=form,
        signature=config.signature,
        variant=config.variant,
        file=None if file is None else str(file),
        batch_sizes=config.batch_sizes,
        rungs=rungs.stored,
        profiled_points=tuple(config.points_s),
    )
    marks = [*marks, *map(_mark, files[len(marks) :]), mark]
    size = sum(each.stat().st_size for each in files)
    return Found(
        stored=stored,
        config=config,
        file_bytes=size,
        stamp="/".join([version, *marks]),
        unread=_unread(folder).strip(),
    )


def _shipped_accuracy(variant: str) -> float | None:
    """Return the accuracy of the shipped weights, as noted by their training."""
    accuracy: float | None = measured().get(variant, {}).get("accuracy")
    return accuracy


def _config(folder: Path) -> ModelConfig:
    """Return the configuration, completed from an ONNX file itself. Raises ConfigError."""
    path, misnamed = folder / CONFIG_FILE, folder / MISNAMED
    if os.path.lexists(path):
        return read_config(path)
    if misnamed.exists():
        raise ConfigError(f"{misnamed} is not read: name it {CONFIG_FILE}.")
    return ModelConfig()


def _unread(folder: Path | None) -> str:
    """Return a sentence about ignored files, such as those of a repository shared with Triton."""
    if folder is None or (folder / CONFIG_FILE).exists() or not (folder / TRITON).exists():
        return ""
    return (
        f" {folder / TRITON} is not read: what it says of names, shapes, batches and versions is "
        f"said in {CONFIG_FILE}, by input, output, batch_sizes and version."
    )


def _format(file: Path | None, config: ModelConfig) -> Format:
    if config.ladder:
        return Format.LADDER
    if file is None or config.variant:
        return Format.VARIANT
    return FILES[f"model{file.suffix}"]


def _file(folder: Path, config: ModelConfig) -> Path | None:
    """Return the file of a version. Shipped variants need none, and a ladder names its own."""
    if config.ladder:
        return None
    there = [folder / name for name in FILES if (folder / name).is_file()]
    if len(there) == 1 or (config.variant and not there):
        return there[0] if there else None
    names = ", ".join(FILES)
    wrong = f"has several of {names}: keep one" if there else f"has no model: put {names} there"
    raise ConfigError(f"{folder} {wrong}.")


def _configured(file: Path) -> Path:
    """Return the path of the configuration, or of a file that others use as one."""
    folder = file.resolve().parent
    for name in (CONFIG_FILE, MISNAMED, TRITON):
        for each in (folder, folder.parent):
            if os.path.lexists(each / name):
                return each
    return file.parent


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path} can't be read: {error.strerror}."


def _mark(file: Path | None) -> str:
    if file is None or not file.exists():
        return ""
    stat = file.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"
