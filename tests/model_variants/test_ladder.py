"""The demo's networks: what ships is what was measured, and each rung is worth its time."""

import math
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_server.networks import glyphs, ladder, packing
from infadapter_server.networks.ladder import RUNGS, Network, Shape

FRESH_SEED = 77
FRESH_IMAGES = {"glyph-1": 1500, "glyph-2": 1500, "glyph-3": 1000, "glyph-4": 600, "glyph-5": 300}


def small(blocks: int) -> Network:
    return Network(Shape(stem=4, stem_stride=2, stages=((4, blocks, 1), (8, blocks, 2))))


def lived_in(network: Network) -> Network:
    """A network whose normalisations have seen data, as after training."""
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    network.train()(torch.rand(16, 1, 32, 32))
    return network.eval()


def test_the_rungs_are_named_from_smallest_to_largest() -> None:
    assert RUNGS == ("glyph-1", "glyph-2", "glyph-3", "glyph-4", "glyph-5")
    sizes = [sum(p.numel() for p in ladder.blank(name).parameters()) for name in RUNGS]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("name", RUNGS)
def test_a_built_rung_is_ready_to_answer(name: str) -> None:
    network = ladder.build(name)
    assert not network.training
    assert {tensor.dtype for tensor in network.parameters()} == {torch.float32}
    with torch.inference_mode():
        logits = network(torch.rand(2, 1, 32, 32))
    assert logits.shape == (2, 36)
    assert logits.isfinite().all()


@pytest.fixture(scope="module")
def fresh() -> tuple[torch.Tensor, torch.Tensor]:
    """Images that no network has seen, and their labels; the first n are those of n alone."""
    images, labels = glyphs.sample(max(FRESH_IMAGES.values()), FRESH_SEED)
    return torch.from_numpy(images), torch.from_numpy(labels)


@pytest.mark.parametrize("name", RUNGS)
def test_shipped_weights_are_as_accurate_as_stated(
    name: str, fresh: tuple[torch.Tensor, torch.Tensor]
) -> None:
    n = FRESH_IMAGES[name]
    images, labels = (each[:n] for each in fresh)
    network = ladder.build(name).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.inference_mode():
        answers = torch.cat([network(some).argmax(1) for some in torch.split(images, 250)])
    accuracy = float((answers == labels).float().mean())
    stated = ladder.measured()[name]["accuracy"]
    assert accuracy == pytest.approx(stated, abs=3.5 * math.sqrt(stated * (1 - stated) / n))


def test_stated_accuracy_rises_clearly_at_every_step() -> None:
    accuracies = [ladder.measured()[name]["accuracy"] for name in RUNGS]
    assert all(higher - lower >= 0.005 for lower, higher in pairwise(accuracies))
    assert accuracies[-1] - accuracies[0] >= 0.08


def test_accuracy_was_measured_on_ten_thousand_images_or_more() -> None:
    assert all(ladder.measured()[name]["test_images"] >= 10_000 for name in RUNGS)


def test_the_stated_number_of_parameters_is_the_network_s_own() -> None:
    for name in RUNGS:
        parameters = sum(tensor.numel() for tensor in ladder.blank(name).parameters())
        assert ladder.measured()[name]["parameters"] == parameters


def test_the_largest_takes_eight_times_as_long_as_the_smallest() -> None:
    assert median_service_s("glyph-5") >= 8 * median_service_s("glyph-1")


def median_service_s(name: str) -> float:
    network, image = ladder.blank(name).eval(), torch.rand(1, 1, 32, 32)
    times = []
    with torch.inference_mode():
        for _ in range(9):
            started = time.process_time()  # whatever else the machine does
            network(image)
            times.append(time.process_time() - started)
    return sorted(times)[len(times) // 2]


def test_the_weights_take_at_most_five_megabytes() -> None:
    folder = Path(str(ladder.WEIGHTS))
    names = {"ladder.json", *(f"{rung}.pt" for rung in RUNGS), "mnist1d.json", "mnist1d.pt"}
    assert {file.name for file in folder.iterdir()} == names
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 5_000_000


@settings(max_examples=10, deadline=None)
@given(blocks=st.integers(1, 3), more=st.integers(0, 3), seed=st.integers(0, 2**32))
def test_a_grown_network_answers_exactly_as_the_one_it_grew_from(
    blocks: int, more: int, seed: int
) -> None:
    torch.manual_seed(seed)
    smaller, larger = lived_in(small(blocks)), small(blocks + more)
    ladder.grow(smaller, larger)
    images = torch.rand(3, 1, 32, 32)
    with torch.inference_mode():
        assert torch.equal(larger.eval()(images), smaller(images))


def test_what_was_grown_learns_in_its_new_blocks_too() -> None:
    smaller, larger = lived_in(small(1)), small(2)
    ladder.grow(smaller, larger)
    larger.train()(torch.rand(8, 1, 32, 32)).logsumexp(1).sum().backward()
    new = larger.get_parameter("stages.0.1.bn2.weight")
    assert new.grad is not None
    assert new.grad.abs().sum() > 0


def test_a_network_does_not_grow_into_a_smaller_one() -> None:
    with pytest.raises(ValueError, match=r"The larger network has no place for stages\.0\.1\."):
        ladder.grow(small(2), small(1))


def test_an_unknown_rung_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="There is no network 'glyph-9'; choose one of glyph-1, "):
        ladder.build("glyph-9")


def test_a_folder_without_notes_has_measured_nothing(tmp_path: Path) -> None:
    assert ladder.measured(tmp_path) == {}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), spread=st.floats(1e-6, 1e6))
def test_packing_moves_no_weight_by_more_than_half_a_step(seed: int, spread: float) -> None:
    filters = spread * torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(seed))
    back = packing.unpack(packing.pack({"conv.weight": filters}))["conv.weight"]
    step = filters.abs().amax((1, 2, 3), keepdim=True) / 127
    assert bool(((back - filters).abs() <= 0.501 * step).all())


def test_packing_keeps_what_is_no_filter_and_bears_a_filter_of_zeros() -> None:
    state = {"conv.weight": torch.zeros(2, 1, 3, 3), "bn.bias": torch.tensor([0.1, -3e-7])}
    back = packing.unpack(packing.pack(state))
    assert torch.equal(back["conv.weight"], state["conv.weight"])
    assert torch.equal(back["bn.bias"], state["bn.bias"])
