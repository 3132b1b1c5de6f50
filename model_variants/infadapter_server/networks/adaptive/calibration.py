"""
Measure a SubNet's normalisation statistics, on training data, and its accuracy.

A slice of the channels has other means and variances than all channels: with shared statistics,
accuracy collapses. So each SubNet has its own, about a 500th of the size of the weights.
"""

import torch
from torch import Tensor

from infadapter_server.networks.adaptive.elastic import (
    Bound,
    Elastic,
    Statistics,
    blank_statistics,
)
from infadapter_server.networks.adaptive.space import SubNet

__all__ = ["accuracy", "calibrate", "shared_statistics"]

_AT_ONCE = 500


def calibrate(network: Elastic, subnet: SubNet, signals: Tensor) -> Statistics:
    """Return the SubNet's normalisation statistics, averaged over batches of `signals`."""
    statistics = blank_statistics(network.space, subnet)
    bound = network.bind(subnet, statistics)
    with torch.no_grad():
        for number, batch in enumerate(torch.split(signals, _AT_ONCE), start=1):
            network.compute(batch, subnet, bound, rate=1 / number)
    return statistics


def accuracy(
    network: Elastic, subnet: SubNet, bound: list[Bound], signals: Tensor, labels: Tensor
) -> float:
    """Return the fraction of signals that the SubNet classifies correctly."""
    right = 0
    with torch.inference_mode():
        for some, theirs in zip(
            torch.split(signals, _AT_ONCE), torch.split(labels, _AT_ONCE), strict=True
        ):
            right += int((network.compute(some, subnet, bound).argmax(1) == theirs).sum())
    return right / len(signals)


def shared_statistics(network: Elastic, subnet: SubNet, largest: Statistics) -> Statistics:
    """Return the leading statistics of the largest SubNet, to compare with the SubNet's own."""
    space = network.space
    every = network.bind(space.largest(), largest)
    mine = network.bind(subnet, blank_statistics(space, subnet))
    places = _same_layers(every, mine)
    means = [every[place].mean[: len(step.mean)] for place, step in zip(places, mine, strict=True)]
    spreads = [every[p].variance[: len(step.mean)] for p, step in zip(places, mine, strict=True)]
    return torch.stack([torch.cat(means), torch.cat(spreads)])


def _same_layers(every: list[Bound], mine: list[Bound]) -> list[int]:
    """Return the index of each layer in the largest SubNet, found by the memory that it views."""
    at = {step.weight.data_ptr(): place for place, step in enumerate(every)}
    return [at[step.weight.data_ptr()] for step in mine]
