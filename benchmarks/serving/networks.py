"""Networks that are served: a variant that ships, or one that is made to take a given time."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from infadapter_server.networks.signatures import SIGNATURES, Floats, Signature
from infadapter_server.networks.signatures import Model as Opened
from infadapter_server.networks.stored import Format, Stored

BATCHES = (1, 2, 4, 8)
MADE, CHANNELS, FIRST_BLOCKS, TRIES = "made", 32, 8, 3
CONFIG = """
input: {name: image, shape: [1, 32, 32]}
output: {name: logits, shape: [36]}
"""


@dataclass(frozen=True, slots=True)
class Network:
    """`repository`: the folder of one that was made, which has the glyphs' input and output."""

    name: str
    repository: Path | None = None

    @property
    def signature(self) -> Signature:
        return SIGNATURES["glyph-1" if self.repository else self.name]

    @property
    def options(self) -> list[str]:
        """Of a server's command line."""
        if self.repository is None:
            return ["--variant", self.name]
        return ["--repository", str(self.repository)]

    def open(self) -> Opened:
        """With one thread. Imports torch: set OMP_NUM_THREADS before."""
        from infadapter_server.networks.models import open_plain

        kept = Stored(
            name=self.name,
            version="1",
            format=Format.VARIANT if self.repository is None else Format.TORCHSCRIPT,
            signature=self.signature,
            variant=self.name if self.repository is None else "",
            file=str(_file(self.repository)) if self.repository else None,
        )
        model = open_plain(kept)
        model.use_threads(1)
        return model


def execution_s(execute: Callable[[Floats], object], signature: Signature, seconds: float) -> float:
    """For each image at the best batch, of medians over so many seconds of each size."""
    return min(took_s / size for size, took_s in timed(execute, signature, seconds).items())


def timed(
    execute: Callable[[Floats], object], signature: Signature, seconds: float
) -> dict[int, float]:
    """Median seconds by batch size."""
    found: dict[int, float] = {}
    for size in BATCHES:
        batch = np.zeros((size, *signature.input_shape), np.float32)
        execute(batch)
        took: list[float] = []
        until_s = time.perf_counter() + seconds
        while time.perf_counter() < until_s:
            began_s = time.perf_counter()
            execute(batch)
            took.append(time.perf_counter() - began_s)
        found[size] = float(np.median(took))
    return found


def make(folder: Path, service_s: float, seconds: float = 0.3) -> Network:
    """
    A residual network of random weights, of as many blocks as take that time for each image at the
    best batch, as TorchScript in a repository. Imports torch.
    """
    network, blocks = Network(MADE, folder), FIRST_BLOCKS
    for _ in range(TRIES):
        _save(folder, blocks)
        took_s = execution_s(network.open(), network.signature, seconds)
        wanted = max(1, round(blocks * service_s / took_s))
        if wanted == blocks:
            break
        blocks = wanted
    _save(folder, blocks)
    return network


def _save(folder: Path, blocks: int) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(1)
    middle = [
        layer
        for _ in range(blocks)
        for layer in (nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.ReLU())
    ]
    network = nn.Sequential(
        nn.Conv2d(1, CHANNELS, 3, stride=2, padding=1),
        nn.ReLU(),
        *middle,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(CHANNELS, 36),
    )
    file = _file(folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    (folder / MADE / "config.yaml").write_text(CONFIG)
    torch.jit.save(torch.jit.script(network.eval()), str(file))


def _file(repository: Path) -> Path:
    return repository / MADE / "1" / "model.pt"
