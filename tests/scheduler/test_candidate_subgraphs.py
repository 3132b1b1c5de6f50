"""Candidate SubGraphs: parts of SubNets, within the budget, in an order of layers."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_scheduler.subgraphs import Slice, candidates, prefix, shared, vector, weights

SLICES = st.builds(Slice, st.integers(1, 6), st.integers(1, 6), st.sampled_from((1, 3)))
NETWORKS = st.dictionaries(st.integers(0, 5), SLICES, min_size=1, max_size=6)


def elements(slices: Mapping[int, Slice]) -> set[tuple[int, ...]]:
    """Each weight by its place in the SuperNet, counted from the middle of its kernel."""
    return {
        (layer, kernel, channel, x, y)
        for layer, one in slices.items()
        for kernel in range(one.kernels)
        for channel in range(one.channels)
        for x in range(-(one.side // 2), one.side // 2 + 1)
        for y in range(-(one.side // 2), one.side // 2 + 1)
    }


@given(NETWORKS, NETWORKS)
def test_what_two_subnets_share_are_the_weights_that_are_in_both(
    one: dict[int, Slice], other: dict[int, Slice]
) -> None:
    assert elements(shared(one, other)) == elements(one) & elements(other)
    assert weights(shared(one, other)) == len(elements(one) & elements(other))


def late_first(layer: int) -> float:
    return -layer


def early_first(layer: int) -> float:
    return layer


@given(NETWORKS, st.integers(0, 400))
def test_a_prefix_fills_the_budget_to_less_than_a_kernel_in_the_order_of_layers(
    slices: dict[int, Slice], most: int
) -> None:
    cut = prefix(slices, most, late_first)
    assert elements(cut) <= elements(slices)
    assert weights(cut) <= most
    missing = [layer for layer in slices if cut.get(layer) != slices[layer]]
    if missing:
        last = max(missing)
        assert all(layer not in cut for layer in missing if layer != last)
        next_kernel = slices[last].weights // slices[last].kernels
        assert weights(cut) + next_kernel > most


@given(st.lists(NETWORKS, min_size=1, max_size=4), st.integers(1, 200), st.integers(1, 20))
def test_candidates_are_different_parts_of_subnets_within_the_budget(
    subnets: list[dict[int, Slice]], budget: int, most: int
) -> None:
    found = candidates(subnets, budget, (late_first, early_first), most)
    assert 1 <= len(found) <= most
    assert all(weights(one) <= budget for one in found)
    assert all(any(elements(one) <= elements(net) for net in subnets) for one in found)
    assert len({tuple(one.items()) for one in found}) == len(found)


def test_what_all_share_comes_first_then_each_alone() -> None:
    nets = [{0: Slice(2, 2), 1: Slice(4, 1)}, {0: Slice(3, 1), 2: Slice(1, 1)}]
    found = candidates(nets, 100, (late_first,), 10)
    assert found == ({0: Slice(2, 1)}, *nets)


def test_a_vector_has_zeros_where_a_layer_is_absent() -> None:
    assert vector({2: Slice(8, 4, 3)}, (1, 2)) == (0, 0, 0, 8, 4, 3)


@pytest.mark.parametrize("budget", [0, 1])
def test_where_not_even_a_kernel_fits_nothing_is_cached(budget: int) -> None:
    assert prefix({0: Slice(2, 2)}, budget, late_first) == {}
