"""Versions of a model: folders whose names are whole numbers, as in Triton."""

from collections.abc import Iterator
from pathlib import Path

from infadapter_server.serving.config_keys import ConfigError
from infadapter_server.serving.model_config import CONFIG_FILE, ModelConfig

__all__ = ["served_version", "version_of"]


def served_version(folder: Path, config: ModelConfig) -> str:
    there = sorted(_versions(folder), key=int)
    if config.version is not None and config.version not in there:
        raise ConfigError(f"{folder} has no version {config.version}, which {CONFIG_FILE} names.")
    if not there:
        raise ConfigError(f"{folder} has no version: put the model into {folder / '1'}.")
    return config.version or there[-1]


def _versions(folder: Path) -> Iterator[str]:
    """Yield the folders whose names are whole numbers from 1; others are ignored."""
    for entry in folder.iterdir():
        name = entry.name
        if name.isascii() and name.isdigit() and name[0] != "0" and entry.is_dir():
            yield name


def version_of(file: Path) -> str:
    version = file.parent.name
    return version if version.isascii() and version.isdigit() else "1"
