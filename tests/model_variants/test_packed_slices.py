"""Packed slices give the weights that the shared ones hold, and the measured table is of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infadapter_scheduler.subgraphs import EMPTY, Slice, prefix
from infadapter_server.networks.subgraphs.measuring import OnCpu, Shape, measured
from infadapter_server.networks.subgraphs.packed import PackedSlices
from infadapter_server.networks.subgraphs.resnet50 import largest, random_weights, run

WHOLE = {0: Slice(6, 5, 3), 1: Slice(4, 6, 1)}
PARTS = st.fixed_dictionaries(
    {
        0: st.builds(Slice, st.integers(1, 6), st.integers(1, 5), st.sampled_from((1, 3))),
        1: st.builds(Slice, st.integers(1, 4), st.integers(1, 6)),
    }
)


@given(PARTS, PARTS, PARTS)
def test_whatever_is_kept_a_slice_is_the_leading_part_and_lies_in_a_row(
    first: dict[int, Slice], second: dict[int, Slice], asked: dict[int, Slice]
) -> None:
    weights = random_weights(WHOLE)
    packed = PackedSlices(weights, 10**6)
    for kept in (first, second):
        packed.keep(kept)
        for layer, part in asked.items():
            edge = (WHOLE[layer].side - part.side) // 2
            middle = slice(edge, edge + part.side)
            found = packed.weight(layer, part)
            expected = weights[layer][: part.kernels, : part.channels, middle, middle]
            assert torch.equal(found, expected)
            assert found.is_contiguous()


def test_a_kept_copy_is_used_for_the_same_channels_and_no_more_kernels() -> None:
    packed = PackedSlices(random_weights(WHOLE), 10**6)
    packed.keep({0: Slice(4, 3, 3)})
    kept = packed.weight(0, Slice(4, 3, 3))
    assert packed.weight(0, Slice(2, 3, 3)).data_ptr() == kept.data_ptr()
    assert packed.weight(0, Slice(5, 3, 3)).data_ptr() != kept.data_ptr()
    assert packed.weight(0, Slice(4, 2, 3)).data_ptr() != kept.data_ptr()


def test_what_is_kept_already_is_not_copied_again_and_more_than_the_budget_is_refused() -> None:
    packed = PackedSlices(random_weights(WHOLE), 4 * 100)
    assert packed.keep({0: Slice(2, 3, 3)}) == 4 * 54
    assert packed.keep({0: Slice(2, 3, 3), 1: Slice(2, 2)}) == 4 * 4
    with pytest.raises(ValueError, match="larger than 400 bytes"):
        packed.keep({0: Slice(4, 3, 3)})
    assert packed.keep({1: Slice(2, 2)}) == 0


def test_kernels_of_signals_are_kept_like_those_of_images() -> None:
    whole = torch.randn(4, 6, 1, 5)
    packed = PackedSlices({0: whole}, 10**6)
    packed.keep({0: Slice(3, 2, 5)})
    kept = packed.weight(0, Slice(2, 2, 5))
    assert torch.equal(kept, whole[:2, :2])
    assert kept.data_ptr() == packed.weight(0, Slice(3, 2, 5)).data_ptr()


def tiny(width: int, blocks: tuple[int, ...]) -> dict[int, Slice]:
    """A SubNet of the numbering that resnet50 has; so many blocks in each of its stages."""
    parts, channels = {0: Slice(width, 3, 3), 1: Slice(width, width, 3)}, width
    for stage, (first, number) in enumerate(zip((3, 16, 29, 48), blocks, strict=True)):
        outputs = width * (stage + 2)
        for block in range(number):
            at = first + (4 + 3 * (block - 1) if block else 0)
            parts |= {at: Slice(width, channels), at + 1: Slice(width, width, 3)}
            parts |= {at + 2: Slice(outputs, width)}
            parts |= {} if block else {at + 3: Slice(outputs, channels)}
            channels = outputs
    return parts


SMALL, LARGE = tiny(4, (1, 1, 1, 1)), tiny(6, (2, 1, 3, 2))


def test_a_subnet_answers_alike_whatever_is_kept() -> None:
    torch.manual_seed(1)
    packed = PackedSlices(random_weights(largest([SMALL, LARGE])), 10**6)
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for subnet in (SMALL, LARGE):
            packed.keep({})
            bare = run(x, subnet, packed)
            assert bare.abs().sum() > 0
            for kept in (SMALL, LARGE, prefix(LARGE, 300, float)):
                packed.keep(kept)
                assert torch.allclose(run(x, subnet, packed), bare, atol=1e-6)
        assert run(x, SMALL, packed).shape == (1, 4 * 5)


def test_the_measured_table_has_what_is_copied_and_what_is_kept_of_each_pair() -> None:
    shapes = [Shape("small", 0.7, SMALL, 32), Shape("large", 0.8, LARGE, 32)]
    told: list[tuple[int, int]] = []
    cpu = OnCpu(shapes, 4_000)
    found = measured(cpu, 2, lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2)]
    assert [subnet.name for subnet in found.table.subnets] == ["small", "large"]
    assert all(ms > 0 for subnet in found.table.subnets for ms in subnet.latency_ms)
    assert not found.hits[:, EMPTY].any()
    assert (found.hits + found.fetched == found.weights[:, None]).all()
    assert found.hits[0, 1] > 0
    assert (found.refills <= 4_000).all()
    assert not found.refills.diagonal().any()
    stem = SMALL[0]  # of all its channels: it lies in a row as it is
    assert 0 not in cpu.copied(SMALL)
    assert found.weights[0] <= 4 * (sum(p.weights for p in SMALL.values()) - stem.weights)
