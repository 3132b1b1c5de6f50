"""
The search space of an elastic residual network: which SubNets there are, and their channels.

After once-for-all networks (Cai et al., ICLR 2020) and SuperServe (NSDI 2025): a SubNet runs the
first blocks of each stage, the first inner channels of each block, and the first channels of the
residual stream. A stage without a block is its shortcut alone. Pure numbers, no torch.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Convolution", "Space", "Stage", "SubNet"]

Kernel = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of the largest SubNet: `channels` of its residual stream, `inner` ones of blocks."""

    channels: int
    inner: int
    least: int  # blocks of the shallowest SubNet
    most: int
    stride: Kernel


@dataclass(frozen=True, slots=True)
class SubNet:
    """
    One sub-network: the width of its residual stream and, for each stage, of every block that it
    runs, as fractions of the largest SubNet's.
    """

    stream: float
    widths: tuple[tuple[float, ...], ...]

    @property
    def depths(self) -> tuple[int, ...]:
        return tuple(map(len, self.widths))


@dataclass(frozen=True, slots=True)
class Convolution:
    """The shape of one convolution of a SubNet, followed by a normalisation."""

    inputs: int
    outputs: int
    kernel: Kernel
    stride: Kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The search space. `kernels` are a block's convolutions: two of 3×3, or 1×1, 3×3, 1×1."""

    inputs: int
    classes: int
    stem: int
    stem_kernel: Kernel
    stem_stride: Kernel
    kernels: tuple[Kernel, ...]
    stages: tuple[Stage, ...]
    widths: tuple[float, ...]  # from the narrowest to 1
    streams: tuple[float, ...]
    multiple: int = 1  # channels come in multiples of it
    pool: bool = False  # a 3×3 maximum behind the stem, as ResNets have

    def largest(self) -> SubNet:
        return self.uniform(1.0, 1.0, tuple(stage.most for stage in self.stages))

    def smallest(self) -> SubNet:
        depths = tuple(stage.least for stage in self.stages)
        return self.uniform(self.streams[0], self.widths[0], depths)

    def uniform(self, stream: float, width: float, depths: tuple[int, ...]) -> SubNet:
        """Return the SubNet whose blocks all have one width."""
        return SubNet(stream, tuple((width,) * depth for depth in depths))

    def sample(self, rng: random.Random) -> SubNet:
        depths = [rng.randint(stage.least, stage.most) for stage in self.stages]
        widths = tuple(tuple(rng.choice(self.widths) for _ in range(depth)) for depth in depths)
        return SubNet(rng.choice(self.streams), widths)

    def holds(self, subnet: SubNet) -> bool:
        bounds = zip(subnet.depths, self.stages, strict=False)
        return (
            len(subnet.depths) == len(self.stages)
            and all(stage.least <= depth <= stage.most for depth, stage in bounds)
            and subnet.stream in self.streams
            and all(width in self.widths for stage in subnet.widths for width in stage)
        )

    def channels(self, fraction: float, most: int) -> int:
        """The first ⌈fraction · most⌉, rounded up to the multiple."""
        wanted = fraction * most / self.multiple
        return min(most, self.multiple * -int(-wanted // 1))

    def stream_channels(self, subnet: SubNet) -> list[int]:
        """Behind the stem and behind each stage."""
        every = (self.stem, *(stage.channels for stage in self.stages))
        return [self.channels(subnet.stream, most) for most in every]

    def stem_convolution(self, subnet: SubNet) -> Convolution:
        outputs = self.stream_channels(subnet)[0]
        return Convolution(self.inputs, outputs, self.stem_kernel, self.stem_stride)

    def block(self, subnet: SubNet, stage: int, block: int) -> list[Convolution]:
        """The convolutions of one block; the first of a stage strides, where it has its 3×3."""
        before, after = self.stream_channels(subnet)[stage : stage + 2]
        inner = self.channels(subnet.widths[stage][block], self.stages[stage].inner)
        between = [inner] * (len(self.kernels) - 1)
        ways = pairwise([before if block == 0 else after, *between, after])
        strides = self.kernels.index(max(self.kernels))
        stride = self.stages[stage].stride if block == 0 else (1, 1)
        return [
            Convolution(inputs, outputs, kernel, stride if place == strides else (1, 1))
            for place, ((inputs, outputs), kernel) in enumerate(
                zip(ways, self.kernels, strict=True)
            )
        ]

    def shortcut(self, subnet: SubNet, stage: int) -> Convolution:
        """Return the shortcut of a stage's first block; other blocks add to their input directly.

        It runs even in a stage without blocks.
        """
        before, after = self.stream_channels(subnet)[stage : stage + 2]
        return Convolution(before, after, (1, 1), self.stages[stage].stride)

    def convolutions(self, subnet: SubNet) -> Iterator[Convolution]:
        """Yield convolutions in order of execution: each stage's shortcut, then its blocks."""
        yield self.stem_convolution(subnet)
        for stage, depth in enumerate(subnet.depths):
            yield self.shortcut(subnet, stage)
            for block in range(depth):
                yield from self.block(subnet, stage, block)

    def weights(self, subnet: SubNet) -> int:
        """Return the number of weights that a SubNet uses, without normalisation."""
        convolutions = sum(
            way.inputs * way.outputs * way.kernel[0] * way.kernel[1]
            for way in self.convolutions(subnet)
        )
        return convolutions + (self.stream_channels(subnet)[-1] + 1) * self.classes
