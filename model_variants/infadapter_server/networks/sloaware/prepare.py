"""Train the networks of the evaluation locally; none is downloaded or shipped."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from infadapter_server.networks.signatures import Floats
from infadapter_server.networks.sloaware import mlp, store
from infadapter_server.networks.sloaware.label_network import Tables, Weights, learnt
from infadapter_server.networks.sloaware.labels import Labels, Task, Tell

UNLABELLED, CALIBRATION, TEST = 11, 12, 13
"""Seeds of inputs that no training saw, each for one use."""

TABLE_INPUTS = 20_000
MOST_ANSWERS = 2_000_000_000
"""Limit on logits computed to learn tables: a wider network learns from fewer inputs."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hidden sizes of a network and of a dense one of similar latency; batches for both."""

    hidden: int
    small: int
    batches: int


RECIPES = {
    2_000: Recipe(32, 8, 150),  # to look at
    10_000: Recipe(128, 16, 4_000),
    50_000: Recipe(128, 16, 6_000),
    205_000: Recipe(640, 64, 4_000),
}
MLP_HIDDEN, MLP_SMALL, MLP_BATCHES = 4096, (512, 1024, 2048), 1_500
MLP_PENALTY = 5e-3

_WEIGHTS = ("hidden_weights", "hidden_bias", "weights", "bias")
_TABLES = ("order", "begins", "anchors", "offsets")


def label_weights(labels: int, hidden: int, batches: int, cache: Path, tell: Tell) -> Weights:
    """Return cached weights, or train them; an interrupted training loses at most 250 batches."""
    path = cache / f"labels-{labels}-{hidden}.npz"
    if not path.exists():
        from infadapter_server.networks.sloaware import label_training

        label_training.train(Task(labels=labels), hidden, batches, path, tell)
    return Weights(*store.read(path, *_WEIGHTS))


def label_tables(labels: int, weights: Weights, cache: Path) -> Tables:
    path = cache / f"labels-{labels}-{len(weights.hidden)}-tables.npz"
    if not path.exists():
        inputs = unlabelled(labels)
        tables = learnt(weights, inputs, weights.answers(inputs))
        store.write(path, {name: getattr(tables, name) for name in _TABLES})
    return Tables(*store.read(path, *_TABLES))


def unlabelled(labels: int) -> Floats:
    some = min(TABLE_INPUTS, 1_000 * round(MOST_ANSWERS / labels / 1_000))
    return Task(labels=labels).sample(some, UNLABELLED)[0]


def full_answers(
    labels: int, weights: Weights, n: int, seed: int, cache: Path
) -> tuple[Floats, Labels, npt.NDArray[np.int64]]:
    """Return inputs, labels and the full network's answers; the slow answers are cached."""
    inputs, right = Task(labels=labels).sample(n, seed)
    path = cache / f"labels-{labels}-{len(weights.hidden)}-answers-{n}-{seed}.npz"
    if not path.exists():
        store.write(path, {"answers": weights.answers(inputs)})
    return inputs, right, store.read(path, "answers")[0]


def trained_mlp(hidden: int, penalty: float, batches: int, cache: Path, tell: Tell) -> mlp.Mlp:
    path = cache / f"mlp-{hidden}-{penalty:g}-{batches}.npz"
    if not path.exists():
        mlp.train(hidden, penalty, batches, path, tell)
    return mlp.read(path)
