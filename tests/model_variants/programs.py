"""Small torch networks, saved as users save theirs: TorchScript and torch.export."""

from pathlib import Path

import torch
from torch import nn

INPUT = (4,)
OUTPUT = (3,)


class Tiny(nn.Module):
    """Maps float32 [n, 4] to [n, `outputs`]; has `ballast` further weights that change nothing."""

    def __init__(self, outputs: int = 3, ballast: int = 0) -> None:
        super().__init__()
        self.linear = nn.Linear(4, outputs)
        self.ballast = nn.Parameter(torch.rand(max(1, ballast)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.linear(x) + 0 * self.ballast[0]
        return answer


def save_script(network: nn.Module, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.jit.save(torch.jit.script(network.eval()), str(path))
    return path


def save_export(network: nn.Module, path: Path, *, batch: int | None = None) -> Path:
    """Save with torch.export. `batch`: the only batch size it takes; None: any up to 64."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = None if batch else ({0: torch.export.Dim("n", min=1, max=64)},)
    program = torch.export.export(
        network.eval(), (torch.zeros(batch or 2, 4),), dynamic_shapes=shapes
    )
    torch.export.save(program, path)
    return path
