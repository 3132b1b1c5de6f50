"""
A SubNet as an ordinary network of the same shape, from torch's own layers.

It is the reference for a SubNet's answers and costs.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from infadapter_server.networks.adaptive.elastic import EPSILON, Elastic, Statistics
from infadapter_server.networks.adaptive.space import Convolution, Space, SubNet

__all__ = ["Plain", "extract"]


class Plain(nn.Module):
    """Residual network of a SubNet's shape, without weight sharing."""

    def __init__(self, space: Space, subnet: SubNet) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_normalised(space.stem_convolution(subnet)), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, padding=1) if space.pool else nn.Identity()
        self.stages = nn.Sequential(
            *(Stage(space, subnet, stage) for stage in range(len(space.stages)))
        )
        self.head = nn.Linear(space.stream_channels(subnet)[-1], space.classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.stages(self.pool(self.stem(x))).mean((2, 3)))
        return logits


class Stage(nn.Module):
    def __init__(self, space: Space, subnet: SubNet, stage: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(*_normalised(space.shortcut(subnet, stage)))
        self.bodies = nn.ModuleList(
            _body(space.block(subnet, stage, block)) for block in range(subnet.depths[stage])
        )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.shortcut(x)
        if not self.bodies:
            return torch.relu(shortcut)
        x = torch.relu(self.bodies[0](x) + shortcut)
        for body in self.bodies[1:]:
            x = torch.relu(body(x) + x)
        return x


def _body(ways: Iterable[Convolution]) -> nn.Sequential:
    """Without the last activation, which comes behind the sum."""
    layers: list[nn.Module] = []
    for way in ways:
        layers += [*_normalised(way), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def extract(network: Elastic, subnet: SubNet, statistics: Statistics) -> Plain:
    """Copy the slices that a SubNet computes with."""
    plain = Plain(network.space, subnet).eval()
    bound = network.bind(subnet, statistics)
    with torch.no_grad():
        for (convolution, norm), step in zip(_pairs(plain), bound, strict=True):
            convolution.weight.copy_(step.weight)
            norm.weight.copy_(step.gamma)
            norm.bias.copy_(step.beta)
            norm.running_mean = step.mean.clone()
            norm.running_var = step.variance.clone()
        plain.head.weight.copy_(network.head.weight[:, : plain.head.in_features])
        plain.head.bias.copy_(network.head.bias)
    return plain


def _normalised(way: Convolution) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    padding = (way.kernel[0] // 2, way.kernel[1] // 2)
    convolution = nn.Conv2d(way.inputs, way.outputs, way.kernel, way.stride, padding, bias=False)
    return convolution, nn.BatchNorm2d(way.outputs, eps=EPSILON)


def _pairs(plain: Plain) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """In the order of the space's convolutions."""
    modules = [m for m in plain.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    for convolution, norm in zip(modules[::2], modules[1::2], strict=True):
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        yield convolution, norm
