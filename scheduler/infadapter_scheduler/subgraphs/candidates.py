"""
SubGraphs to choose from, made of SubNets: leading parts of layers, in an order of worth, to a size.

How SUSHI makes its candidates isn't known to us; this is our design after it. What several SubNets
share serves all of them and what one has serves it best, so both are cut, and by more than one
order, since which layers profit from a cache depends on the hardware.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import combinations, product

from infadapter_scheduler.subgraphs.slices import Slice, Slices, shared

Order = Callable[[int], float]
"""Of a layer, by which smaller values come first."""


def candidates(
    subnets: Sequence[Slices], most_weights: int, orders: Sequence[Order], most: int
) -> tuple[Slices, ...]:
    """
    At most so many SubGraphs, without duplicates, each of at most so many weights.

    By each order: what all SubNets share, then each SubNet, then pairs, threes and so on.
    """
    groups = [reduce(shared, (subnets[at] for at in group)) for group in _groups(len(subnets))]
    found: dict[frozenset[tuple[int, Slice]], Slices] = {}
    for order, group in product(orders, groups):
        cut = prefix(group, most_weights, order)
        found.setdefault(frozenset(cut.items()), cut)
        if len(found) == most:
            break
    return tuple(found.values())


def prefix(slices: Slices, most_weights: int, order: Order) -> dict[int, Slice]:
    """Whole layers in this order while there is room, and the leading kernels of the next."""
    left, cut = most_weights, {}
    for layer in sorted(slices, key=lambda layer: (order(layer), layer)):
        whole = slices[layer]
        kernels = min(whole.kernels, left // (whole.weights // whole.kernels))
        if not kernels:
            break
        cut[layer] = Slice(kernels, whole.channels, whole.side)
        left -= cut[layer].weights
        if kernels < whole.kernels:
            break
    return dict(sorted(cut.items()))


def _groups(number: int) -> Iterator[Iterable[int]]:
    yield range(number)
    for size in range(1, number):
        yield from combinations(range(number), size)
