"""The configuration of a model, `config.yaml` beside its versions: what its file does not say."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from infadapter_profiles.files import ProfileFileError, parse_yaml
from infadapter_profiles.regular import regular_bytes
from infadapter_server.networks.signatures import SIGNATURES, Signature
from infadapter_server.serving.config_keys import KEYS, ConfigError, Rung, only
from infadapter_server.serving.rungs import ladder_signature

__all__ = ["CONFIG_FILE", "MISNAMED", "TRITON", "ConfigError", "ModelConfig", "read_config"]

CONFIG_FILE = "config.yaml"
MISNAMED = "config.yml"
"""A common misspelling, whose content would be ignored."""
TRITON = "config.pbtxt"
"""Triton's own configuration, which isn't read; a sentence says so."""
BATCH_SIZES = (1, 2, 4, 8)
MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """
    `execution_s` (by batch size) and `load_s` as given; otherwise they are measured. With profiled
    operating points (`points_s`) it is that of the slowest, which requests without a point get.
    """

    signature: Signature | None = None  # None: the file says it, if it is one that does
    variant: str = ""
    ladder: tuple[Rung, ...] = ()
    batch_sizes: tuple[int, ...] = BATCH_SIZES
    accuracy: float | None = None
    version: str | None = None  # None: the highest there is
    pinned: bool = False
    execution_s: Mapping[int, float] = field(default_factory=dict)
    load_s: float | None = None
    points_s: Mapping[str, Mapping[int, float]] = field(default_factory=dict)


def read_config(path: Path) -> ModelConfig:
    """Read a configuration. Raises ConfigError."""
    try:
        documents = parse_yaml(regular_bytes(path, MOST_BYTES), str(path))
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}.") from None
    except ProfileFileError as error:
        raise ConfigError(str(error)) from None
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise ConfigError(f"{path} must hold one mapping, with input and output, or variant.")
    try:
        return _config(documents[0])
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _config(content: Mapping[Any, Any]) -> ModelConfig:
    only(content, "", *KEYS)
    given = {key: parse(content[key], key) for key, parse in KEYS.items() if key in content}
    profile = given.pop("profile", {})
    config = ModelConfig(signature=_signature(given), **given, **profile)
    if config.points_s:
        config = replace(config, execution_s=_slowest(config))
    missing = set(config.batch_sizes) - set(config.execution_s)
    if profile and missing:
        raise ConfigError(f"profile.execution_seconds lacks the batch size {min(missing)}.")
    return config


def _slowest(config: ModelConfig) -> dict[int, float]:
    for name, sizes in config.points_s.items():
        if missing := set(config.batch_sizes) - set(sizes):
            raise ConfigError(f"profile.points.{name[:80]} lacks the batch size {min(missing)}.")
    every = config.points_s.values()
    return {size: max(spent[size] for spent in every) for size in config.batch_sizes}


def _signature(given: dict[str, Any]) -> Signature | None:
    """
    Return the signature if given. Shipped variants have a known one; other networks need one, here
    or in their file.
    """
    tensors = [given.pop(key, None) for key in ("input", "output")]
    if ladder := given.get("ladder"):
        if "variant" in given:
            raise ConfigError("variant is one network, ladder are several: give one of the two.")
        if "accuracy" in given:
            raise ConfigError("accuracy is that of one network: say it of each in the ladder.")
        return ladder_signature(ladder, _said(tensors) if any(tensors) else None)
    if variant := given.get("variant"):
        if any(tensors):
            raise ConfigError(f"input and output are those of {variant}: leave them out.")
        return SIGNATURES[variant]
    return _said(tensors) if any(tensors) else None


def _said(tensors: list[Any]) -> Signature:
    if tensors[0] is None or tensors[1] is None:
        raise ConfigError("name and shape of input and output are missing; or name a variant.")
    (input_name, input_shape), (output_name, output_shape) = tensors
    return Signature(
        input_shape=input_shape,
        output_shape=output_shape,
        input_name=input_name,
        output_name=output_name,
    )
