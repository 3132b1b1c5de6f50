"""What is served, according to the command line: one network, or the models of a repository."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infadapter_server.networks.signatures import SIGNATURES
from infadapter_server.networks.stored import Stored
from infadapter_server.serving.catalogue import Catalogue, parse_given
from infadapter_server.serving.config_keys import NAME, ConfigError
from infadapter_server.serving.identity import Identity
from infadapter_server.serving.layout import Found, found_variant
from infadapter_server.serving.measurements import FILE, Measurements
from infadapter_server.serving.model_config import ModelConfig
from infadapter_server.serving.offered import Offered
from infadapter_server.serving.repository import Repository

__all__ = ["MANY", "Given", "Served", "always", "many", "one", "powers_of_two", "served"]

MANY = "many"
"""Replaces the variant's name where answers and metrics concern no single network."""


@dataclass(frozen=True, slots=True)
class Given:
    """Options of the command line; `memory` is in bytes."""

    variant: str | None
    names: tuple[str, ...]
    weights: Path | None
    repository: Path | None
    memory: int | None
    max_batch: int


@dataclass(frozen=True, slots=True)
class Served:
    variant: str
    models: Mapping[str, Identity]
    repository: Repository


def served(given: Given, memory_each: int | None, where: str | None) -> Served:
    """
    Return what is served; `where` is the file of measurements that survive the server. Raises
    ConfigError.
    """
    if given.variant is None:
        _check_many(given)
        return many(given.names, given.repository, memory_each, where)
    _check_one(given)
    name = (*given.names, given.variant)[0]
    return one(given.variant, name, given.weights, powers_of_two(given.max_batch))


def one(variant: str, name: str, weights: Path | None, batch_sizes: tuple[int, ...]) -> Served:
    """Serve one variant. Raises ConfigError."""
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
    """Return a repository of fixed models, with memory for all of them."""
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


def many(
    given: tuple[str, ...], folder: Path | None, memory: int | None, where: str | None = None
) -> Served:
    """Serve the models of a repository. Raises ConfigError."""
    catalogue = Catalogue(tuple(parse_given(each) for each in given), folder)
    measurements = Measurements(folder / FILE if folder and where else None, where or "")
    repository = Repository(catalogue.read, measurements, memory_bytes=memory)
    if folder is None and (reason := repository.unserved()):
        raise ConfigError(reason)  # a folder may be mended, and is asked again
    return Served(MANY, Offered(repository), repository)


def powers_of_two(most: int) -> tuple[int, ...]:
    """Return batch sizes. Seven images run as four, two and one, so that nothing is padded."""
    return tuple(2**power for power in range(most.bit_length()))


def _check_one(given: Given) -> None:
    if given.repository is not None or given.memory is not None:
        raise ConfigError("--variant is one network: leave --repository and --memory out.")
    if len(given.names) > 1:
        raise ConfigError("--variant is one network: give one --model.")


def _check_many(given: Given) -> None:
    if not given.names and given.repository is None:
        raise ConfigError(
            f"Missing option '--variant'. Choose from: {', '.join(SIGNATURES)}; "
            "or give --model NAME=VARIANT, or --repository."
        )
    if given.weights is not None:
        raise ConfigError("--weights belongs to --variant; give --model NAME=FILE.")
