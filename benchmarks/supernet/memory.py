"""What many SubNets hold in memory, beside ordinary networks of their shapes."""

import random
from statistics import fmean

from infadapter_server.networks.adaptive.elastic import Elastic, blank_statistics
from infadapter_server.networks.adaptive.shapes import RESNET50
from infadapter_server.networks.adaptive.space import SubNet

MIB = 2**20
MANY = 120
FEW = 6
"""Ordinary networks, as many as SuperServe compares with."""


def report(network: Elastic) -> None:
    rng = random.Random(3)
    subnets = [RESNET50.sample(rng) for _ in range(MANY)]
    weights = sum(parameter.nbytes for parameter in network.parameters())
    statistics = [blank_statistics(RESNET50, subnet).nbytes for subnet in subnets]
    extracted = sorted(map(_plain_bytes, subnets))
    shared = weights + sum(statistics)
    few = extracted[:: (MANY - 1) // (FEW - 1)][:FEW]
    print(f"memory, MiB: {weights / MIB:.1f} of weights, with {MANY} SubNets {shared / MIB:.1f}")
    for count, every in ((MANY, extracted), (FEW, few)):
        ratio = sum(every) / shared
        print(f"  {count:3} of them extracted {sum(every) / MIB:.0f}, {ratio:.2f} times as much")
    own = fmean(extracted) / fmean(statistics)
    print(
        f"  a SubNet's statistics: a {weights / fmean(statistics):.0f}th of the shared weights, "
        f"a {own:.0f}th of its own (paper: about 500)"
    )


def _plain_bytes(subnet: SubNet) -> int:
    """Weights, and of each normalisation the scale, the shift and two statistics."""
    normalisation = 4 * sum(way.outputs for way in RESNET50.convolutions(subnet))
    return 4 * (RESNET50.weights(subnet) + normalisation)
