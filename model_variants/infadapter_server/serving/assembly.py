"""What is served, from what the command line says: one network, or the models of a repository."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infadapter_profiles.quantities import InvalidQuantity, whole_units
from infadapter_server.networks.stored import Stored
from infadapter_server.serving.catalogue import Catalogue, parse_given
from infadapter_server.serving.config_keys import NAME, ConfigError
from infadapter_server.serving.identity import Identity
from infadapter_server.serving.layout import Found, found_variant
from infadapter_server.serving.measurements import FILE, Measurements, machine
from infadapter_server.serving.model_config import ModelConfig
from infadapter_server.serving.offered import Offered
from infadapter_server.serving.repository import CPU_PAGE_BYTES, Repository

__all__ = ["MANY", "Served", "always", "many", "memory_bytes", "one"]

MANY = "many"
"""In place of a variant, where answers and metrics are of no single network."""


@dataclass(frozen=True, slots=True)
class Served:
    variant: str
    models: Mapping[str, Identity]
    repository: Repository


def one(variant: str, name: str, weights: Path | None, batch_sizes: tuple[int, ...]) -> Served:
    """Raises ConfigError."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"--model {name!r} must be letters, digits, dots and dashes.")
    found = found_variant(name, variant, weights, batch_sizes)
    identity = Identity(
        variant=variant,
        model=name,
        signature=found.stored.signature,
        accuracy=found.config.accuracy,
    )
    return Served(variant, {name: identity}, always(found.stored))


def always(*models: Stored) -> Repository:
    """Models that never change, with memory for all of them."""
    found = {
        stored.name: Found(
            stored=stored,
            config=ModelConfig(signature=stored.signature, batch_sizes=stored.batch_sizes),
            file_bytes=0,
            stamp="",
        )
        for stored in models
    }
    return Repository(lambda: found, Measurements(None))


def many(given: tuple[str, ...], folder: Path | None, memory: int | None, threads: int) -> Served:
    """Raises ConfigError."""
    catalogue = Catalogue(tuple(parse_given(each) for each in given), folder)
    measurements = Measurements(folder / FILE if folder else None, machine(threads))
    repository = Repository(catalogue.read, measurements, memory_bytes=memory)
    return Served(MANY, Offered(repository), repository)


def memory_bytes(quantity: str) -> int:
    """As Kubernetes writes it, such as 2Gi. Raises ConfigError."""
    try:
        size = whole_units(quantity)
    except InvalidQuantity as error:
        raise ConfigError(f"--memory {error}.") from None
    if size < CPU_PAGE_BYTES:
        raise ConfigError(f"--memory {quantity} is less than {CPU_PAGE_BYTES} bytes.")
    return size
