"""One model and several target accuracies: ACLO, whose target changes with every query."""

from typing import Any

import numpy as np

from infadapter.slo_aware.asked import Asked
from infadapter_server.networks.sloaware import prepare
from infadapter_server.networks.sloaware.confidence import Accuracy, Table
from infadapter_server.networks.sloaware.label_network import LabelNetwork
from infadapter_server.networks.sloaware.policies import aclo
from infadapter_simulator.reproduction.result import Line, Panel, Result

LESS = (0.06, 0.04, 0.02, 0.01, 0.003)
"""Targets: the full network's accuracy on calibration inputs minus these."""

GAPS = np.concatenate([np.linspace(0.0, 0.03, 16), np.linspace(0.04, 0.6, 15)])
MOST = 0.1
HEAD = ("target %", "delivered %", "± (95 %)", "met", "nodes %", "p95 nodes %", "agreement %")


def run(asked: Asked) -> Result:
    recipe = prepare.RECIPES[asked.labels]
    weights = prepare.label_weights(
        asked.labels, recipe.hidden, recipe.batches, asked.cache, asked.tell
    )
    network = LabelNetwork(weights, prepare.label_tables(asked.labels, weights, asked.cache))
    asks = (asked.labels, weights, asked.samples)
    table = calibrated(network, *prepare.full_answers(*asks, prepare.CALIBRATION, asked.cache))
    inputs, right, full = prepare.full_answers(*asks, prepare.TEST, asked.cache)
    targets = [table.full - less for less in LESS]
    settings = [aclo(table, target) for target in targets]
    found: list[list[tuple[int, int]]] = [[] for _ in targets]
    draw = np.random.default_rng(asked.seed)
    for x in inputs:
        for at in draw.permutation(len(targets)):
            found[at].append(_answer(network, x, settings[at]))
    rows = [
        _row(target, np.array(answers), right, full, weights.labels)
        for target, answers in zip(targets, found, strict=True)
    ]
    accuracy = 100 * float(np.mean(full == right))
    said = (
        f"The full network: {accuracy:.2f} % on {len(inputs):,} fresh inputs, with each target on "
        "all of them, in random order. A target holds on average, not for each query.",
        "The confidence table was learnt without labels; its map from agreement to accuracy from "
        f"{asked.samples:,} other, labelled inputs.",
    )
    curve = Line("delivered", [100 * t for t in targets], [float(row[1]) for row in rows])
    asked_for = Line("asked for", [100 * t for t in targets], [100 * t for t in targets])
    panels = [Panel("Accuracy, %", [curve, asked_for])]
    title = f"ACLO, {asked.labels:,} labels: one model, {len(LESS)} targets"
    return Result("targets", title, HEAD, rows, panels, "accuracy asked for, %", said)


def calibrated(network: LabelNetwork, inputs: Any, right: Any, full: Any) -> Table:
    """
    Return the accuracy of stopping at each gap, estimated from agreement with the full network.
    """
    most = round(MOST * network.weights.labels)
    walks = [network.steps(x, most) for x in inputs]
    gaps = np.quantile([walk.gaps[0] for walk in walks], GAPS)
    answers = np.array([[_stopped(walk, gap) for gap in gaps] for walk in walks])
    agrees = answers == full[:, None]
    lost = ((full == right)[:, None].astype(float) - (answers == right[:, None]))[~agrees]
    known = Accuracy(float(np.mean(full == right)), float(lost.mean()) if len(lost) else 0.0)
    return Table.of(gaps.tolist(), [known.of(float(a)) for a in agrees.mean(0)], known.full)


def _stopped(walk: Any, gap: float) -> int:
    enough = np.flatnonzero(walk.gaps >= gap)
    return int(walk.labels[enough[0] if len(enough) else -1])


def _answer(network: LabelNetwork, x: Any, gap: float | None) -> tuple[int, int]:
    if gap is None:
        return network.full(x), network.weights.labels
    answer = network.answer(x, round(MOST * network.weights.labels), gap)
    return answer.label, answer.nodes


def _row(target: float, answers: Any, right: Any, full: Any, labels: int) -> list[str]:
    chosen, nodes = answers.T
    delivered = float(np.mean(chosen == right))
    margin = 1.96 * float(np.sqrt(delivered * (1 - delivered) / len(right)))
    return [
        f"{100 * target:.2f}",
        f"{100 * delivered:.2f}",
        f"{100 * margin:.2f}",
        "yes" if delivered + margin >= target else "no",
        f"{100 * nodes.mean() / labels:.2f}",
        f"{100 * float(np.quantile(nodes, 0.95)) / labels:.2f}",
        f"{100 * float(np.mean(chosen == full)):.2f}",
    ]
