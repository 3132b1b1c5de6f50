"""
The weight-shared network: every SubNet computes with leading slices of one set of weights.

SubNetAct's three operators (SuperServe, NSDI 2025): LayerSelect runs the first blocks of a stage,
WeightSlice the first channels of a convolution, and SubnetNorm normalises with statistics of the
SubNet's own, since another SubNet's are wrong for it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from infadapter_server.networks.adaptive.space import Convolution, Kernel, Space, SubNet

__all__ = ["EPSILON", "Bound", "Elastic", "Statistics", "blank_statistics"]

EPSILON = 1e-5

Statistics = Tensor
"""Means and variances of all normalisations of a SubNet, concatenated: [2, channels]."""


class Bound(NamedTuple):
    """A convolution of a SubNet, as views of the shared weights that use no memory of their own.

    `matrix`: the weight as a matrix, if the convolution of one image is a matrix product.
    """

    weight: Tensor
    gamma: Tensor
    beta: Tensor
    mean: Tensor
    variance: Tensor
    stride: Kernel
    padding: Kernel
    matrix: Tensor | None = None


class Layer(nn.Module):
    """A convolution of the largest SubNet, with its normalisation."""

    def __init__(self, way: Convolution) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(way.outputs, way.inputs, *way.kernel))
        self.gamma = nn.Parameter(torch.ones(way.outputs))
        self.beta = nn.Parameter(torch.zeros(way.outputs))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def bind(self, way: Convolution, mean: Tensor, variance: Tensor) -> Bound:
        outputs, (high, wide) = way.outputs, way.kernel
        weight = self.weight[:outputs, : way.inputs]
        # torch copies a slice before it convolves, but multiplies by one as it is.
        flat = way.kernel == way.stride == (1, 1) and not weight.is_contiguous()
        return Bound(
            weight,
            self.gamma[:outputs],
            self.beta[:outputs],
            mean,
            variance,
            way.stride,
            (high // 2, wide // 2),
            weight[:, :, 0, 0] if flat else None,
        )


class Elastic(nn.Module):
    """Weight-shared network: float32 [n, inputs, height, width] to logits, by any SubNet."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space
        self.layers = nn.ModuleList(map(Layer, space.convolutions(space.largest())))
        self.head = nn.Linear(space.stages[-1].channels, space.classes)

    def bind(self, subnet: SubNet, statistics: Statistics) -> list[Bound]:
        """Return a SubNet's convolutions in order of execution (actuation).

        It only makes views, so it takes microseconds, however large the network is.
        """
        ways = list(self.space.convolutions(subnet))
        parts = torch.split(statistics, [way.outputs for way in ways], dim=1)
        layers = (self.layers[place] for place in self._places(subnet))
        return [
            layer.bind(way, part[0], part[1])  # type: ignore[operator]
            for layer, way, part in zip(layers, ways, parts, strict=True)
        ]

    def _places(self, subnet: SubNet) -> Iterator[int]:
        """Yield the index in `layers` of each convolution of a SubNet."""
        yield 0
        at, each = 1, len(self.space.kernels)
        for stage, depth in zip(self.space.stages, subnet.depths, strict=True):
            yield from range(at, at + 1 + depth * each)
            at += 1 + stage.most * each

    def compute(
        self, x: Tensor, subnet: SubNet, bound: Sequence[Bound], rate: float | None = None
    ) -> Tensor:
        """
        Return logits. With a `rate`, normalisations use the batch's own statistics, as in training,
        and move their bound statistics towards these with `rate` as the momentum.
        """
        steps = iter(bound)
        y = functional.relu(_apply(x, next(steps), rate))
        if self.space.pool:
            y = functional.max_pool2d(y, 3, 2, padding=1)
        for depth in subnet.depths:
            shortcut = _apply(y, next(steps), rate)
            for block in range(depth):
                y = functional.relu(self._body(y, steps, rate) + (y if block else shortcut))
            if depth == 0:
                y = functional.relu(shortcut)
        weight = self.head.weight[:, : y.shape[1]]
        return functional.linear(y.mean((2, 3)), weight, self.head.bias)

    def _body(self, x: Tensor, steps: Iterator[Bound], rate: float | None) -> Tensor:
        for left in reversed(range(len(self.space.kernels))):
            x = _apply(x, next(steps), rate)
            if left:
                x = functional.relu(x)
        return x


def blank_statistics(space: Space, subnet: SubNet) -> Statistics:
    """Return statistics of mean zero and variance one."""
    channels = sum(way.outputs for way in space.convolutions(subnet))
    return torch.stack([torch.zeros(channels), torch.ones(channels)])


def _apply(x: Tensor, step: Bound, rate: float | None) -> Tensor:
    if step.matrix is not None and len(x) == 1:
        y = torch.mm(step.matrix, x[0].flatten(1)).view(1, -1, *x.shape[2:])
    else:
        y = functional.conv2d(x, step.weight, None, step.stride, step.padding)
    return functional.batch_norm(
        y,
        step.mean,
        step.variance,
        step.gamma,
        step.beta,
        training=rate is not None,
        momentum=rate or 0.0,
        eps=EPSILON,
    )
