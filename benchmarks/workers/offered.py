"""What is offered: models by popularity, and Poisson arrivals among them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from infadapter_server.networks.signatures import SIGNATURES, Floats
from infadapter_server.networks.stored import Format, Stored

BATCH_SIZES = (1, 2, 4, 8)
ZIPF = 0.9


@dataclass(frozen=True, slots=True)
class Request:
    at_s: float  # after the beginning
    model: str


def catalogue(models: int, variants: tuple[str, ...]) -> dict[str, Stored]:
    """The most popular first; variants take turns, so that popularity says nothing of size."""
    chosen = [variants[number % len(variants)] for number in range(models)]
    return {
        f"{variant}-{number:02}": Stored(
            name=f"{variant}-{number:02}",
            version="1",
            format=Format.VARIANT,
            signature=SIGNATURES[variant],
            variant=variant,
            batch_sizes=BATCH_SIZES,
        )
        for number, variant in enumerate(chosen)
    }


def unmeasured(stored: Stored) -> Stored:
    """As it is loaded by who has its profile: one batch size shows that it computes."""
    return replace(stored, batch_sizes=stored.batch_sizes[:1])


def popularity(models: int) -> list[float]:
    weights = [1 / rank**ZIPF for rank in range(1, models + 1)]
    return [weight / sum(weights) for weight in weights]


def capacity_rps(
    stored: Mapping[str, Stored], execution_s: Mapping[str, Mapping[int, float]]
) -> float:
    """Of one core with bare torch, each model in its best batch."""
    shares = zip(popularity(len(stored)), stored.values(), strict=True)
    each_s = (
        share * min(took_s / size for size, took_s in execution_s[model.variant].items())
        for share, model in shares
    )
    return 1 / sum(each_s)


def poisson(names: list[str], rate_rps: float, seconds: float, seed: int) -> list[Request]:
    rng = np.random.default_rng(seed)
    count = rng.poisson(rate_rps * seconds)
    at_s = np.sort(rng.uniform(0, seconds, count))
    chosen = rng.choice(len(names), count, p=popularity(len(names)))
    return [Request(float(s), names[n]) for s, n in zip(at_s, chosen, strict=True)]


def image(stored: Stored) -> Floats:
    rng = np.random.default_rng(0)
    return rng.random((1, *stored.signature.input_shape), np.float32)
