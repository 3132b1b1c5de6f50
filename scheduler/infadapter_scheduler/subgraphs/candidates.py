"""
Candidate SubGraphs made from SubNets: leading parts of layers, in an order of worth, up to a size.

The paper does not say how SUSHI makes its candidates; this is our design after it. Weights shared
by several SubNets serve all of them, and those of one serve it best, so both are cut to size; and
by several orders, since the hardware decides which layers profit from a cache.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import combinations, product

from infadapter_scheduler.subgraphs.slices import Slice, Slices, shared

Order = Callable[[int], float]
"""A sort key of layers; smaller values come first."""


def candidates(
    subnets: Sequence[Slices], most_weights: int, orders: Sequence[Order], most: int
) -> tuple[Slices, ...]:
    """
    Return at most `most` distinct SubGraphs of at most `most_weights` each. For each order: what
    all SubNets share, then each SubNet, then pairs, triples and so on.
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
    """Return whole layers in this order while they fit, and the leading kernels of the next."""
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
