"""What the network's executor is made of: clocks, backoff, and the generated messages."""

import math
import random
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_server.executors.backoff import delays_s
from infadapter_server.executors.messages import Infer, LoadModel, ModelLoaded, Outcome
from infadapter_server.executors.remote import worker_pb2
from infadapter_server.executors.remote.clock import ClockOffset
from infadapter_server.executors.remote.tensors import BadMessage, read_tensor
from infadapter_server.executors.remote.wire import (
    read_infer,
    read_load,
    read_loaded,
    written_infer,
    written_load,
    written_loaded,
)
from infadapter_server.networks.adaptive.points import Point
from tests.model_variants.fake_models import stored

ROOT = Path(__file__).parents[2] / "model_variants"
PROTO = "infadapter_server/executors/remote/worker.proto"


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(1e-4, 5), st.floats(1e-4, 5)), min_size=1, max_size=40),
)
def test_the_offset_is_wrong_by_half_the_smallest_round_trip_at_most(
    offset_s: float, delays: list[tuple[float, float]]
) -> None:
    clock, now_s = ClockOffset(exchanges=40), 1000.0
    for there_s, back_s in delays:
        clock.add(now_s, now_s + there_s + offset_s, now_s + there_s + back_s)
        now_s += 10
    smallest_s = min(there_s + back_s for there_s, back_s in delays)
    assert clock.round_trip_s == pytest.approx(smallest_s, abs=1e-6)
    assert abs(clock.theirs(now_s) - (now_s + offset_s)) <= smallest_s / 2 + 1e-6
    assert clock.ours(clock.theirs(now_s)) == pytest.approx(now_s)


def test_a_clock_that_drifts_is_followed() -> None:
    clock = ClockOffset(exchanges=4)
    clock.add(0.0, 100.0, 0.0)
    for now_s in range(1, 5):
        clock.add(now_s, now_s + 101.0, now_s + 0.5)
    assert clock.theirs(10) == pytest.approx(110.75)


def test_delays_grow_to_a_bound_and_are_never_the_same_for_two() -> None:
    first, second = (list(islice(delays_s(1, 8, random.Random(seed)), 50)) for seed in (1, 2))
    assert all(
        bound / 2 <= delay <= bound
        for delay, bound in zip(first, [1, 2, 4, *[8] * 47], strict=True)
    )
    assert not set(first) & set(second)


def test_the_generated_messages_are_those_of_the_file(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "grpc_tools.protoc", "-I", str(ROOT))
    outputs = (f"--python_out={tmp_path}", f"--pyi_out={tmp_path}")
    subprocess.run([*command, *outputs, PROTO], check=True)
    checked_in = Path(worker_pb2.__file__)
    for file in (checked_in, checked_in.with_suffix(".pyi")):
        made = tmp_path / PROTO.removesuffix("worker.proto") / file.name
        assert file.read_text() == made.read_text(), "make proto"


def test_an_operating_point_travels_with_a_run_and_is_told_of_a_load() -> None:
    rows = (np.ones((1, 2), np.float32),)
    order = written_infer(Infer(1, "model", rows, 0.0, 1.0, "subnet-2"), same)
    assert read_infer(order.infer).point == "subnet-2"
    points = (Point("a", 0.8, {1: 0.1}), Point("b", 0.9, {1: 0.2, 4: 0.5}))
    report = ModelLoaded("model", Outcome.DONE, 0.0, 1.0, points=points)
    assert read_loaded(written_loaded(report), same) == report


@given(
    st.lists(st.sampled_from((0, 1, 1, 2, 3, 2**31, 2**32 - 1)), max_size=5),
    st.sampled_from((0, 1, 20, 64, 65, 100)),
    st.integers(0, 13),
)
def test_whatever_shape_a_tensor_says_it_is_read_or_a_bad_message(
    sizes: list[int], ones: int, numbers: int
) -> None:
    """An error of another kind ended the thread that reads a worker's reports, for good."""
    shape = (*sizes, *[1] * ones)
    with suppress(BadMessage):
        read = read_tensor(worker_pb2.Tensor(shape=shape, values=bytes(4 * numbers)))
        assert read.shape == shape


@pytest.mark.parametrize("shape", [(1,) * 65, (0, 2**32 - 1, 2**32 - 1, 2**32 - 1)])
def test_a_shape_that_no_array_has_is_a_bad_message(shape: tuple[int, ...]) -> None:
    values = bytes(4 * math.prod(shape))
    with pytest.raises(BadMessage, match=r"no tensor of|has 65 dimensions"):
        read_tensor(worker_pb2.Tensor(shape=shape, values=values))


def test_a_load_says_which_points_a_profile_knows_and_no_worker_takes_a_ladder() -> None:
    network = replace(stored("model"), profiled_points=("a", "b"))
    order = written_load(LoadModel(network, 0.0, 1.0), same)
    assert read_load(order.load).stored.profiled_points == ("a", "b")
    ladder = replace(network, rungs=(stored("a"),))
    with pytest.raises(BadMessage, match="model is a ladder, which no worker takes"):
        written_load(LoadModel(ladder, 0.0, 1.0), same)


def same(seconds: float) -> float:
    return seconds
