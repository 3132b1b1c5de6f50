"""The simulated accelerators against what was measured, and against what physics allows."""

import csv
import math
from collections import defaultdict
from dataclasses import astuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_scheduler.subgraphs import EMPTY, Slice, shared, weights
from infadapter_simulator.accelerator.accelerators import Accelerator, Board, Roofline
from infadapter_simulator.accelerator.layers import Layer
from infadapter_simulator.accelerator.networks import SimulatedSubNet, subnets
from infadapter_simulator.accelerator.simulated import cached, simulated

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "sushi"
SUPERNETS = ("resnet50", "mobilenetv3")


@pytest.fixture
def rows() -> list[dict[str, str]]:
    file = SHARED / "sushi_feather_ofa_resnet50_subnets.csv"
    if not file.is_file():
        pytest.skip("the measured layers of OFA-ResNet50 (../shared/data/sushi) are absent")
    with file.open() as lines:
        return list(csv.DictReader(lines))


def after_the_part(layer: Layer) -> tuple[int, ...]:
    return layer.pixels, layer.stride, layer.outputs, layer.weights, layer.macs


def test_all_layers_of_six_resnet50_subnets_are_as_published(rows: list[dict[str, str]]) -> None:
    shape = ["supernet_layer", "K", "C", "R", "X", "stride", "OX", "weight_bytes_int8", "macs"]
    published = [[int(row[name]) for name in ("subnet", *shape)] for row in rows]
    ours = [
        [at, layer.slot, *astuple(layer.part), *after_the_part(layer)]
        for at, net in enumerate(subnets("resnet50"))
        for layer in net.layers
    ]
    assert ours == published
    assert len(ours) == 318


def test_the_board_is_within_ten_percent_of_each_measured_layer_and_two_of_their_sums(
    rows: list[dict[str, str]],
) -> None:
    board = Board()
    totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    layers = [(net.name, layer) for net in subnets("resnet50") for layer in net.layers]
    measured = [
        (name, layer, 1000 * float(row["measured_3x3_latency_s_zcu104_100MHz"]))
        for (name, layer), row in zip(layers, rows, strict=True)
        if row["measured_3x3_latency_s_zcu104_100MHz"]
    ]
    assert len(measured) == 108
    for name, layer, took_ms in measured:
        ours_ms = board.layer_ms(layer, 0)
        assert ours_ms == pytest.approx(took_ms, rel=0.10)
        totals[name][0] += ours_ms
        totals[name][1] += took_ms
    for ours_ms, took_ms in totals.values():
        assert ours_ms == pytest.approx(took_ms, rel=0.02)


def test_mobilenetv3_is_as_large_as_its_space_says() -> None:
    """Counted by hand for the smallest: a stem, three stages' first blocks, and the head."""
    smallest, largest = subnets("mobilenetv3")[0], subnets("mobilenetv3")[-1]
    by_slot = {layer.slot: layer for layer in smallest.layers}
    assert by_slot[3].part == Slice(48, 16, 1)
    assert by_slot[4].part == Slice(48, 1, 3)
    assert (by_slot[4].pixels, by_slot[4].outputs) == (112, 56)
    assert by_slot[5].part == Slice(24, 48, 1)
    assert len(smallest.layers) == 3 + 3 * 2 * 5 + 3
    assert len(largest.layers) == 3 + 3 * 4 * 5 + 3
    assert smallest.weights == pytest.approx(3.12e6, abs=5e3)
    assert largest.weights == pytest.approx(5.11e6, abs=5e3)


@pytest.mark.parametrize("supernet", SUPERNETS)
def test_more_accurate_subnets_take_longer_and_names_differ(supernet: str) -> None:
    nets = subnets(supernet)
    assert [net.accuracy for net in nets] == sorted({net.accuracy for net in nets})
    assert [net.macs for net in nets] == sorted(net.macs for net in nets)


LAYERS = st.builds(
    Layer,
    st.just(0),
    st.builds(Slice, st.integers(1, 64), st.integers(1, 64), st.sampled_from((1, 3, 5, 7))),
    st.integers(1, 64),
    st.sampled_from((1, 2)),
)
ACCELERATORS = st.one_of(
    st.builds(Board, bandwidth_gb_s=st.floats(0.1, 100), clock_mhz=st.floats(10, 1000)),
    st.builds(Roofline, bandwidth_gb_s=st.floats(0.1, 100), peak_tops=st.floats(0.01, 10)),
)


@given(LAYERS, ACCELERATORS, st.floats(0, 1))
def test_a_cache_saves_no_more_than_what_fetching_the_cached_weights_takes(
    layer: Layer, accelerator: Accelerator, share: float
) -> None:
    kept = int(share * layer.weights)
    saved_ms = accelerator.layer_ms(layer, 0) - accelerator.layer_ms(layer, kept)
    assert -1e-9 <= saved_ms <= accelerator.refill_ms(kept) * (1 + 1e-9) + 1e-9
    saved = accelerator.traffic_bytes(layer, 0) - accelerator.traffic_bytes(layer, kept)
    assert saved == kept


def test_only_layers_that_wait_for_memory_gain_on_the_roofline() -> None:
    computing = Layer(0, Slice(64, 64, 3), 56)
    waiting = Layer(0, Slice(1280, 960), 1)
    roofline = Roofline()
    assert roofline.layer_ms(computing, computing.weights) == roofline.layer_ms(computing, 0)
    assert roofline.layer_ms(waiting, waiting.weights) < 0.1 * roofline.layer_ms(waiting, 0)


def test_features_that_do_not_fit_go_off_the_chip() -> None:
    layer = Layer(0, Slice(8, 4), 10, 2)
    assert layer.feature_bytes == 4 * 100 + 8 * 25
    assert Roofline(feature_bytes=600).traffic_bytes(layer, 2) == 30
    assert Roofline(feature_bytes=599).traffic_bytes(layer, 2) == 630


def nets_of(supernet: str) -> list[SimulatedSubNet]:
    return list(subnets(supernet))


@pytest.mark.parametrize(
    ("supernet", "accelerator"), [("resnet50", Board()), ("mobilenetv3", Roofline())]
)
def test_the_table_is_what_the_accelerator_says_of_each_pair(
    supernet: str, accelerator: Accelerator
) -> None:
    nets, found = nets_of(supernet), simulated(nets_of(supernet), accelerator, 12)
    graphs = len(found.table.subgraphs)
    assert 3 <= graphs <= 13
    assert not found.hits[:, EMPTY].any()
    assert (found.fetched + found.hits == found.weights[:, None]).all()
    for row, net in enumerate(nets):
        assert found.weights[row] == weights(net.parts)
        nothing_ms = sum(accelerator.layer_ms(layer, 0) for layer in net.layers)
        assert found.table.subnets[row].latency_ms[EMPTY] == pytest.approx(nothing_ms)
    for before in range(graphs):
        assert found.refills[before, before] == 0
        assert (found.refills[before] <= accelerator.buffer_bytes).all()
        filled_ms = accelerator.refill_ms(int(found.refills[EMPTY, before]))
        assert found.table.refill_ms(EMPTY, before) == pytest.approx(filled_ms)
        assert math.isclose(found.table.refill_ms(before, EMPTY), 0.0)


def test_what_is_cached_of_a_layer_is_what_both_have() -> None:
    assert cached(Slice(4, 8, 3), Slice(8, 4, 5)) == 4 * 4 * 9
    assert cached(Slice(4, 8, 3), None) == 0


def test_all_resnet50_subnets_share_as_much_as_is_published() -> None:
    """7.913 MB (7.546 MiB), of which a buffer of 4 MiB saves between 52.6 and 14.5 %."""
    common = subnets("resnet50")[0].parts
    for net in subnets("resnet50"):
        common = shared(common, net.parts)
    assert weights(common) == pytest.approx(7.913e6, abs=500)
    found = simulated(nets_of("resnet50"), Board(buffer_bytes=4_180_000), 1)
    saved = found.hits[:, 1] / found.weights
    assert saved == pytest.approx([0.526, 0.326, 0.224, 0.156, 0.168, 0.145], abs=0.0006)
