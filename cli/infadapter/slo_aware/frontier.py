"""Speed-up against accuracy lost: an output layer of many labels, and an MLP."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from infadapter.slo_aware import rivals
from infadapter.slo_aware.asked import Asked
from infadapter.slo_aware.timing import medians_s, points_lost
from infadapter_server.networks.sloaware import hashing, mlp, prepare
from infadapter_server.networks.sloaware.label_network import LabelNetwork, Weights
from infadapter_simulator.reproduction.result import Line, Panel, Result

SHARES = (0.02, 0.0225, 0.0275, 0.03, 0.04, 0.06)
STATIC = (0.03, 0.05, 0.1, 0.15, 0.2)
HIDDEN_SHARES = (0.05, 0.1, 0.2, 0.25, 0.3, 0.5)
MLP_BUCKETS = 512
TIMED, TIMED_QUICK = 20, 5
PUBLISHED = (
    "Published (arXiv 2204.08400, abstract): 1.3 to 56.7 times at less than 0.3 % of accuracy, by "
    "data set; which is which isn't in the text that could be had.",
    "The hash is in every time. Times are medians of means over queries one by one, taken in turn, "
    "on one thread; the full network is this project's compiled dense kernel, which is faster here "
    "than NumPy's and PyTorch's product.",
)
HEAD = ("how", "nodes %", "µs", "× full", "accuracy %", "points lost")

Answer = Callable[[Any], int]


def labels(asked: Asked) -> Result:
    recipe = prepare.RECIPES[asked.labels]
    make = (asked.cache, asked.tell)
    weights = prepare.label_weights(asked.labels, recipe.hidden, recipe.batches, *make)
    small = prepare.label_weights(asked.labels, recipe.small, recipe.batches, *make)
    network = LabelNetwork(weights, prepare.label_tables(asked.labels, weights, asked.cache))
    inputs, right, full = prepare.full_answers(
        asked.labels, weights, asked.samples, prepare.TEST, asked.cache
    )
    ways = _ways(asked, weights, small, network)
    shown = f"{asked.labels:,} labels, {recipe.hidden} hidden, {weights.nbytes / 1e6:.0f} MB"
    return _compared(
        asked,
        f"labels-{asked.labels}",
        f"Extreme classification: {shown}",
        network.full,
        ways,
        inputs,
        right,
        full,
    )


def _ways(
    asked: Asked, weights: Weights, small: Weights, network: LabelNetwork
) -> dict[str, tuple[float, Answer]]:
    inputs = prepare.unlabelled(asked.labels)
    n, core = weights.labels, network.tables
    answers = weights.answers(inputs)
    cells = rivals.inverted_file(weights, len(core.anchors))
    with_core = rivals.inverted_file_and_core(weights, core)
    signs = rivals.by_signs(weights, core, weights.hidden_of(inputs).mean(0))
    ways: dict[str, tuple[float, Answer]] = {}
    for share in SHARES:
        most = round(share * n)
        ways[f"hashed {100 * share:g} %"] = (share, _first(network, most))
        ways[f"inverted file {100 * share:g} %"] = (share, _first(cells, most))
        ways[f"core + inverted file {100 * share:g} %"] = (share, _first(with_core, most))
        ways[f"SimHash {100 * share:g} %"] = (share, _first(signs, most))
    for share in STATIC:
        most = round(share * n)
        ways[f"static {100 * share:g} %"] = (share, rivals.static(weights, answers, most))
        ways[f"random {100 * share:g} %"] = (share, rivals.random(weights, most, asked.seed))
    dense = rivals.Chosen(small, np.arange(n))
    ways[f"dense, {len(small.hidden)} hidden"] = (1.0, dense)
    return ways


def _first(network: LabelNetwork, most: int) -> Answer:
    return lambda x: network.answer(x, most).label


def hidden(asked: Asked) -> Result:
    """
    Measure an MLP: hashed, static and random shares of its hidden layer, and narrower networks.
    """
    batches = 100 if asked.quick else prepare.MLP_BATCHES
    make = (batches, asked.cache, asked.tell)
    wide = prepare.trained_mlp(prepare.MLP_HIDDEN, prepare.MLP_PENALTY, *make)
    kinds = mlp.Kinds()
    unlabelled, _ = kinds.sample(prepare.TABLE_INPUTS, prepare.UNLABELLED)
    hashed = mlp.HashedMlp.learnt(wide, hashing.quantiser(unlabelled, MLP_BUCKETS, 1), unlabelled)
    simple = mlp.HashedMlp.learnt(wide, hashing.simhash(unlabelled, 9, 1), unlabelled)
    onward = np.linalg.norm(wide.onward, axis=1)
    ranked = np.argsort(-wide.active(unlabelled[:5000]).mean(0) * onward).astype(np.int32)
    shuffled = np.random.default_rng(asked.seed).permutation(ranked)
    ways: dict[str, tuple[float, Answer]] = {}
    for share in HIDDEN_SHARES:
        most, said = round(share * len(wide.rows)), f"{100 * share:g} %"
        ways[f"hashed {said}"] = (share, _nodes_of(hashed, most))
        ways[f"SimHash {said}"] = (share, _nodes_of(simple, most))
        ways[f"static {said}"] = (share, partial(wide.of, nodes=ranked[:most]))
        ways[f"random {said}"] = (share, partial(wide.of, nodes=shuffled[:most]))
    ways["hash alone"] = (0.0, _majority(hashed, unlabelled))
    for width in (*prepare.MLP_SMALL, prepare.MLP_HIDDEN):
        dense = prepare.trained_mlp(width, 0.0, *make)
        ways[f"dense, {width} hidden"] = (width / len(wide.rows), dense.full)
    inputs, right = kinds.sample(asked.samples, prepare.TEST)
    full = wide.logits(inputs).argmax(1)
    title = f"MLP of {len(wide.rows):,} hidden nodes, sparse by an L1 penalty on activations"
    return _compared(asked, "mlp", title, wide.full, ways, inputs, right, full)


def _nodes_of(network: mlp.HashedMlp, most: int) -> Answer:
    return lambda x: network.answer(x, most)


def _majority(hashed: mlp.HashedMlp, inputs: Any) -> Answer:
    """Compute no node: return what the full network mostly answers in the input's bucket."""
    votes = np.zeros((hashed.hash.buckets, mlp.CLASSES), np.int64)
    np.add.at(votes, (hashed.hash.of_all(inputs), hashed.mlp.logits(inputs).argmax(1)), 1)
    answers = votes.argmax(1)
    return lambda x: int(answers[hashed.hash.of(x)])


def _compared(
    asked: Asked,
    name: str,
    title: str,
    dense: Answer,
    ways: Mapping[str, tuple[float, Answer]],
    inputs: Any,
    right: Any,
    full: Any,
) -> Result:
    accuracy = float(np.mean(full == right))
    each = TIMED_QUICK if asked.quick else TIMED
    timed = {"full": dense, **{name: answer for name, (_, answer) in ways.items()}}
    took_s = medians_s(timed, inputs, each)
    rows = [["full", "100", f"{1e6 * took_s['full']:.1f}", "1.0", f"{100 * accuracy:.2f}", "0"]]
    found: dict[str, list[tuple[float, float]]] = {}
    for at, (way, (share, answer)) in enumerate(ways.items()):
        lost = points_lost(accuracy, np.array([answer(x) for x in inputs]) == right)
        faster = took_s["full"] / took_s[way]
        cells = (f"{1e6 * took_s[way]:.1f}", f"{faster:.2f}", f"{100 * accuracy - lost:.2f}")
        rows.append([way, f"{100 * share:g}", *cells, f"{lost:.2f}"])
        found.setdefault(_family(way), []).append((max(lost, 0.01), faster))
        asked.tell(at + 1, len(ways))
    lines = [Line(name, *_sorted(points)) for name, points in found.items()]
    said = (f"Accuracy on {len(inputs):,} inputs that nothing was trained on.", *PUBLISHED)
    panel = Panel("Times as fast as the full network", lines)
    return Result(name, title, HEAD, rows, [panel], "points of accuracy lost", said, True)


def _family(name: str) -> str:
    """Return a method's name without its share: one line in the plot."""
    return name.split(",")[0].rstrip("0123456789.% ")


def _sorted(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    lost, faster = zip(*sorted(points), strict=True)
    return list(lost), list(faster)
