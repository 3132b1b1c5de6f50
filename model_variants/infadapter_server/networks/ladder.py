"""The demo's five networks, smallest to largest: their architectures and trained weights.

All are residual networks for the task of `glyphs`. They form a ladder because a larger one may be
*grown* from a smaller one of the same widths: its new blocks start as the identity, so it starts
with the smaller one's answers and learns from there. That is what makes the large ones affordable:
from scratch they would need far more images than an hour on two cores shows them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable

import torch
from torch import Tensor, nn

from infadapter_server.networks.glyphs import CLASSES
from infadapter_server.networks.notes import WEIGHTS, measured
from infadapter_server.networks.packing import unpack

__all__ = ["CLASSES", "RUNGS", "WEIGHTS", "Network", "Shape", "blank", "build", "grow", "measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Channels after the stem, its stride, and per stage (channels, blocks, stride)."""

    stem: int
    stem_stride: int
    stages: tuple[tuple[int, int, int], ...]


SHAPES: Mapping[str, Shape] = {
    "glyph-1": Shape(stem=12, stem_stride=2, stages=((12, 2, 1), (24, 2, 2))),
    "glyph-2": Shape(stem=20, stem_stride=2, stages=((20, 3, 1), (40, 2, 2))),
    "glyph-3": Shape(stem=32, stem_stride=2, stages=((32, 4, 1), (64, 3, 2))),
    "glyph-4": Shape(stem=32, stem_stride=2, stages=((32, 12, 1), (64, 6, 2))),
    "glyph-5": Shape(stem=32, stem_stride=2, stages=((32, 46, 1), (64, 10, 2))),
}
RUNGS: tuple[str, ...] = tuple(SHAPES)


class Block(nn.Module):
    """The residual block of ResNet-18 (He et al., CVPR 2016, figure 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + self.shortcut(x))


class Network(nn.Module):
    """float32 [n, 1, 32, 32], pixels in 0..1, to logits [n, 36] in the order of CLASSES."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, shape.stem, 3, shape.stem_stride, padding=1, bias=False),
            nn.BatchNorm2d(shape.stem),
            nn.ReLU(),
        )
        channels = shape.stem
        self.stages = nn.ModuleList()
        for outputs, blocks, stride in shape.stages:
            first = Block(channels, outputs, stride)
            rest = (Block(outputs, outputs, 1) for _ in range(blocks - 1))
            self.stages.append(nn.Sequential(first, *rest))
            channels = outputs
        self.head = nn.Linear(channels, len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(2 * x - 1)
        for stage in self.stages:
            y = stage(y)
        logits: Tensor = self.head(y.mean((2, 3)))
        return logits


def build(name: str, folder: Traversable = WEIGHTS) -> Network:
    """Return a rung with its trained weights, in float32 and ready to answer."""
    network = blank(name)
    with (folder / f"{name}.pt").open("rb") as file:
        packed = torch.load(file, map_location="cpu", weights_only=True)
    network.load_state_dict(unpack(packed))
    return network.eval()


def blank(name: str) -> Network:
    """Return an untrained rung.

    Raises ValueError, which lists the known names, for a name that is not on the ladder.
    """
    if name not in SHAPES:
        raise ValueError(f"There is no network {name!r}; choose one of {', '.join(RUNGS)}.")
    return Network(SHAPES[name])


def grow(smaller: Network, larger: Network) -> None:
    """Make `larger`, of the same widths, answer exactly as `smaller` does.

    Its additional blocks follow the others of their stage. The scale of their last normalisation is
    zero, so they are the identity until they are trained.
    """
    state = smaller.state_dict()
    missing, unexpected = larger.load_state_dict(state, strict=False)
    if unexpected:
        raise ValueError(f"The larger network has no place for {unexpected[0]}.")
    scales = dict(larger.named_parameters())
    for key in missing:
        if key.endswith("bn2.weight"):
            nn.init.zeros_(scales[key])
