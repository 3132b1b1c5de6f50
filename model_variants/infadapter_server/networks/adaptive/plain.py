"""
A SubNet as an ordinary network of its shape: torch's own layers, and nothing that could be elastic.

What a SubNet answers is held to it, and what it costs is compared with it.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from infadapter_server.networks.adaptive.elastic import EPSILON, Elastic, Statistics
from infadapter_server.networks.adaptive.space import Convolution, Space, SubNet

__all__ = ["Plain", "extract"]


class Plain(nn.Module):
    """As a user would write it who knows of no SuperNet."""

    def __init__(self, space: Space, subnet: SubNet) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_normalised(space.stem_convolution(subnet)), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, padding=1) if space.pool else nn.Identity()
        self.blocks = nn.Sequential(
            *(
                Block(space, subnet, stage, block)
                for stage, depth in enumerate(subnet.depths)
                for block in range(depth)
            )
        )
        self.head = nn.Linear(space.stream_channels(subnet)[-1], space.classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(self.pool(self.stem(x))).mean((2, 3)))
        return logits


class Block(nn.Module):
    def __init__(self, space: Space, subnet: SubNet, stage: int, block: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for way in space.block(subnet, stage, block):
            layers += [*_normalised(way), nn.ReLU()]
        self.body = nn.Sequential(*layers[:-1])
        self.shortcut: nn.Module = nn.Identity()
        if block == 0:
            self.shortcut = nn.Sequential(*_normalised(space.shortcut(subnet, stage)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


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
