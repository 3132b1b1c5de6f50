"""SLO-aware networks: hashes and walks against brute force, calibration, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_server.networks.adaptive.brought import open_brought
from infadapter_server.networks.adaptive.points import UnknownPoint
from infadapter_server.networks.signatures import Signature
from infadapter_server.networks.sloaware import hashing, importance, kernels, mlp, store
from infadapter_server.networks.sloaware.adaptive import SloAwareNetwork, load, save
from infadapter_server.networks.sloaware.confidence import Accuracy, Table, UnreachableTarget
from infadapter_server.networks.sloaware.label_network import LabelNetwork, Weights, learnt
from infadapter_server.networks.sloaware.labels import FEATURES, Task, zipf
from infadapter_server.networks.sloaware.latency import (
    LatencyProfile,
    UnmeasuredUtilisation,
    Utilisation,
)
from infadapter_server.networks.sloaware.policies import Fit, aclo, lcao
from infadapter_server.networks.stored import Format, Stored

TASK = Task(labels=300)


def bayes(task: Task) -> Weights:
    """The best weights there are for a task, in closed form: no training in a unit test."""
    p = task.prototypes / np.float32(task.noise**2)
    bias = np.log(zipf(task.labels)) - (task.prototypes * p).sum(1) / 2
    hidden = np.concatenate([np.eye(FEATURES), -np.eye(FEATURES)]).astype(np.float32)
    rows = np.ascontiguousarray(np.concatenate([p, -p], 1))
    return Weights(hidden, np.zeros(2 * FEATURES, np.float32), rows, bias.astype(np.float32))


def profiled(points: list[str], seconds: dict[int, list[float]]) -> LatencyProfile:
    return LatencyProfile.of(points, seconds, seconds)


@pytest.fixture(scope="module")
def network() -> LabelNetwork:
    weights = bayes(TASK)
    inputs, _ = TASK.sample(1000, 1)
    return LabelNetwork(weights, learnt(weights, inputs, weights.answers(inputs)))


@given(st.integers(0, 2**16), st.integers(1, 40), st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_a_quantiser_names_the_nearest_anchor(seed: int, buckets: int, features: int) -> None:
    draw = np.random.default_rng(seed)
    anchors = draw.standard_normal((buckets, features), np.float32)
    inputs = draw.standard_normal((20, features), np.float32)
    hash = hashing.Quantiser.at(anchors)
    distances = np.square(inputs[:, None] - anchors[None]).sum(2)
    for x, found, mine in zip(inputs, hash.of_all(inputs), distances, strict=True):
        assert mine[found] <= mine.min() + 1e-4
        assert mine[hash.of(x)] <= mine.min() + 1e-4


@given(st.integers(0, 2**16), st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_simhash_is_the_sides_of_the_planes_through_the_mean(seed: int, bits: int) -> None:
    inputs = np.random.default_rng(seed).standard_normal((50, 5), np.float32) + 3
    hash = hashing.simhash(inputs, bits, seed)
    sides = (inputs - inputs.mean(0)) @ hash.planes.T
    for x, found, side in zip(inputs, hash.of_all(inputs), sides, strict=True):
        if np.abs(side).min() > 1e-3:  # on a plane either side is right
            assert found == hash.of(x) == sum(1 << i for i in range(bits) if side[i] > 0)


def test_alike_inputs_share_buckets_more_often_than_others() -> None:
    inputs, _ = TASK.sample(400, 2)
    near = inputs + np.float32(0.01)
    for hash in (hashing.simhash(inputs, 8, 1), hashing.quantiser(inputs, 32, 1)):
        of = hash.of_all(inputs)
        assert np.mean(of == hash.of_all(near)) > 3 * np.mean(of == np.roll(of, 1))


@given(st.integers(0, 200), st.integers(1, 300))
@settings(max_examples=40, deadline=None)
def test_a_walk_finds_the_best_of_the_nodes_that_brute_force_would_take(
    network: LabelNetwork, which: int, most: int
) -> None:
    x = TASK.sample(201, 3)[0][which]
    tables, weights = network.tables, network.weights
    hidden = weights.hidden_of(x[None])[0]
    keys = tables.anchors @ hidden + tables.offsets
    blocks = [0, *(1 + np.argsort(-keys, kind="stable"))]
    taken = np.concatenate([tables.order[tables.begins[b] : tables.begins[b + 1]] for b in blocks])[
        :most
    ]
    logits = weights.rows[taken] @ hidden + weights.bias[taken]
    answer = network.answer(x, most)
    assert answer.nodes == most
    assert logits[list(taken).index(answer.label)] >= logits.max() - 1e-2


def test_all_nodes_answer_as_the_dense_network_does(network: LabelNetwork) -> None:
    inputs, _ = TASK.sample(100, 4)
    expected = network.weights.answers(inputs)
    assert [network.answer(x).label for x in inputs] == list(expected)
    assert [network.full(x) for x in inputs] == list(expected)


def test_every_label_lies_in_one_block(network: LabelNetwork) -> None:
    tables = network.tables
    assert sorted(tables.order) == list(range(TASK.labels))
    assert tables.begins[-1] == TASK.labels
    assert (np.diff(tables.begins) >= 0).all()


def test_a_wider_gap_never_computes_fewer_nodes(network: LabelNetwork) -> None:
    for x in TASK.sample(50, 5)[0]:
        nodes = [network.answer(x, gap=gap).nodes for gap in (-50.0, 0.0, 5.0, 50.0)]
        assert nodes == sorted(nodes)


@given(st.integers(0, 2**16), st.integers(1, 60))
@settings(max_examples=20, deadline=None)
def test_hidden_nodes_that_are_chosen_sum_to_what_numpy_says(seed: int, many: int) -> None:
    draw = np.random.default_rng(seed)
    net = mlp.Mlp(
        draw.standard_normal((60, 7), np.float32),
        draw.standard_normal(60, np.float32),
        draw.standard_normal((60, 4), np.float32),
        draw.standard_normal(4, np.float32),
    )
    x = draw.standard_normal(7, np.float32)
    nodes = draw.choice(60, many, replace=False).astype(np.int32)
    out = net.out_bias.copy()
    kernels.hidden_sum(net.rows, net.bias, net.onward, x, nodes, out)
    active = np.maximum(net.rows[nodes] @ x + net.bias[nodes], 0)
    np.testing.assert_allclose(out, active @ net.onward[nodes] + net.out_bias, atol=1e-3)


def test_nodes_are_ranked_by_what_they_pass_on_in_their_bucket() -> None:
    active = np.array([[1, 0, 3], [1, 0, 3], [0, 5, 1]], np.float32)
    onward = np.array([10, 1, 1], np.float32)
    ranked = importance.ranked_hidden(active, onward, np.array([0, 0, 1]), 3)
    assert ranked[0].tolist() == [0, 2, 1]
    assert ranked[1].tolist() == [1, 2, 0]
    assert ranked[2].tolist() == [0, 2, 1]  # nobody is in it: all inputs' mean


def test_agreement_is_mapped_to_accuracy_and_not_taken_for_it() -> None:
    known = Accuracy(full=0.68, drop=0.4)
    assert known.of(1.0) == pytest.approx(0.68)
    assert known.of(0.65) == pytest.approx(0.54)


def test_aclo_takes_the_cheapest_setting_that_meets_the_target() -> None:
    table = Table.of([1.0, 2.0, 3.0], [0.4, 0.6, 0.55], full=0.7)
    assert aclo(table, 0.3) == 1.0
    assert aclo(table, 0.57) == 2.0  # 0.6 and 0.55 are one level, measured with noise
    assert aclo(table, 0.69) is None
    with pytest.raises(UnreachableTarget, match=r"above the full network.s 0\.7"):
        aclo(table, 0.71)


def test_lcao_takes_the_last_point_in_time_and_says_where_there_is_none() -> None:
    profile = profiled(["1%", "full"], {0: [1.0, 5.0], 2: [2.0, 15.0]})
    assert lcao(profile, 0, 6.0) == Fit(1, True)
    assert lcao(profile, 2, 6.0) == Fit(0, True)
    assert lcao(profile, 0, 0.5) == Fit(0, False)


def test_an_unmeasured_utilisation_is_refused_with_those_that_are_known() -> None:
    profile = profiled(["full"], {0: [1.0], 2: [2.0]})
    with pytest.raises(UnmeasuredUtilisation, match=r"Utilisation 1 was not measured, only 0, 2"):
        lcao(profile, 1, 1.0)


def test_a_profile_never_falls_with_the_point_or_with_the_level() -> None:
    profile = profiled(["a", "b"], {1: [0.5, 4.0], 0: [2.0, 1.0]})
    assert profile.at(0) == (1.5, 1.5)
    assert profile.at(1) == (1.5, 4.0)


def test_utilisation_rises_at_once_and_falls_slowly() -> None:
    profile = profiled(["full"], {0: [0.01], 1: [0.02], 2: [0.03]})
    seen = Utilisation()
    seen.took(0.04, 0.01)
    assert seen.level(profile) == 2
    seen.took(0.01, 0.01)
    assert seen.level(profile) == 2
    for _ in range(40):
        seen.took(0.01, 0.01)
    assert seen.level(profile) == 0


def test_a_short_answer_is_little_evidence_that_co_runners_are_gone() -> None:
    short, long = Utilisation(), Utilisation()
    for seen, alone_s in ((short, 0.0002), (long, 0.01)):
        seen.took(4 * alone_s, alone_s)
        seen.took(alone_s, alone_s)
    assert short.slowdown > long.slowdown


def test_a_saved_network_answers_as_before_at_each_point(
    network: LabelNetwork, tmp_path: Path
) -> None:
    accuracies = {0.05: 0.7, 1.0: 0.8}
    save(network, accuracies, tmp_path)
    again = load(tmp_path)
    served = SloAwareNetwork(network, accuracies)
    inputs, _ = TASK.sample(10, 6)
    assert [point.name for point in again.points] == ["5%", "full"]
    for point in again.points:
        assert (again.run(inputs, point.name) == served.run(inputs, point.name)).all()
    with pytest.raises(UnknownPoint, match=r"no operating point '7%': there are 5%, full"):
        again.run(inputs, "7%")


def test_a_damaged_file_is_refused_in_one_sentence(network: LabelNetwork, tmp_path: Path) -> None:
    save(network, {1.0: 0.8}, tmp_path)
    path = tmp_path / "network.npz"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(store.BadNetworkFile, match=r"is damaged .*: delete it and make it anew"):
        load(tmp_path)


def test_labels_follow_zipfs_law_and_seeds_give_the_same_inputs() -> None:
    inputs, labels = TASK.sample(20_000, 7)
    share = np.bincount(labels, minlength=3)[:3] / len(labels)
    np.testing.assert_allclose(share, zipf(TASK.labels)[:3], atol=0.01)
    assert (TASK.sample(20_000, 7)[0] == inputs).all()


def test_a_module_of_one_import_serves_it_as_an_adaptive_network(
    network: LabelNetwork, tmp_path: Path
) -> None:
    save(network, {0.05: 0.7, 1.0: 0.8}, tmp_path)
    module = tmp_path / "model.py"
    module.write_text("from infadapter_server.networks.sloaware.adaptive import load\n")
    signature = Signature(input_shape=(FEATURES,), output_shape=(1,))
    stored = Stored(
        name="labels", version="1", format=Format.PYTHON, signature=signature, file=str(module)
    )
    opened = open_brought(stored)
    inputs, _ = TASK.sample(5, 8)
    assert opened.run(inputs, "full")[:, 0].tolist() == [network.full(x) for x in inputs]
    assert opened.weights_bytes == network.nbytes
