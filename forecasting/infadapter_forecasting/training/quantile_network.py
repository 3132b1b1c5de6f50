"""Train the quantile network with the pinball loss of all its outputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from infadapter_forecasting.conformal import LEVELS
from infadapter_forecasting.features import INPUTS
from infadapter_forecasting.forecaster import Array, Rates
from infadapter_forecasting.quantile_network import (
    BUCKETS_S,
    HIDDEN,
    HORIZONS_S,
    OUTPUTS,
    QuantileNetwork,
)
from infadapter_forecasting.training.samples import Samples, samples

PIECE_S = 14_400

Progress = Callable[[int, float], None]
"""Called with (epoch, loss on the held-back traces)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Length and learning rate of the training."""

    epochs: int = 22
    batch: int = 512
    learning_rate: float = 2e-3
    most_samples: int = 750_000
    held_back: float = 0.1  # the share of the traces that tell when to stop
    patience: int = 8  # epochs without a better loss on these
    threads: int = 2


ADAPTING = Schedule(epochs=10, learning_rate=1e-3, most_samples=200_000)
"""Schedule for adapting the shipped network to one service's own history."""


def train_quantile_network(
    traces: Sequence[Rates],
    *,
    start: QuantileNetwork | None = None,
    seed: int = 0,
    schedule: Schedule | None = None,
    progress: Progress | None = None,
) -> QuantileNetwork:
    """
    Train from per-second rates; the same seed gives the same network on the same machine. `start`
    is a network to continue from, such as the shipped one.
    """
    plan = schedule or Schedule()
    torch.set_num_threads(min(plan.threads, torch.get_num_threads()))
    random = np.random.default_rng(seed)
    learned, held = _split(traces, plan, random)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        net = Network()
        if start:
            _take(net, start)
        _descend(net, learned, held, plan, progress or _silent)
    return QuantileNetwork(weights=to_arrays(net))


def _silent(epoch: int, loss: float) -> None:
    """Ignore progress."""


def _split(
    traces: Sequence[Rates], plan: Schedule, random: np.random.Generator
) -> tuple[Samples, Samples]:
    pieces = [piece for trace in traces for piece in _pieces(trace)]
    order = random.permutation(len(pieces))
    held = max(1, round(plan.held_back * len(pieces)))
    back = [pieces[i] for i in order[:held]]
    rest = [pieces[i] for i in order[held:]] or back
    most_held = int(plan.most_samples * plan.held_back)
    return (
        samples(rest, most=plan.most_samples, random=random),
        samples(back, most=most_held, random=random),
    )


def _pieces(trace: Rates) -> list[Rates]:
    """Split a long trace, so that parts of it are held back instead of the whole."""
    return list(np.array_split(trace, -(-len(trace) // PIECE_S))) if len(trace) else []


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(INPUTS, HIDDEN)
        self.second = nn.Linear(HIDDEN, HIDDEN)
        self.last = nn.Linear(HIDDEN + INPUTS, OUTPUTS)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (samples, buckets × horizons, levels)."""
        hidden = nn.functional.silu(self.first(inputs))
        hidden = nn.functional.silu(self.second(hidden))
        raw = self.last(torch.cat((hidden, inputs), dim=1))
        raw = raw.view(-1, len(BUCKETS_S) * len(HORIZONS_S), len(LEVELS))
        steps = torch.cat((raw[..., :1], nn.functional.softplus(raw[..., 1:])), dim=-1)
        return torch.cumsum(steps, dim=-1)


def to_arrays(net: Network) -> dict[str, Array]:
    """Return the weights by name, as `QuantileNetwork` takes them."""
    layers = {"first": net.first, "second": net.second, "last": net.last}
    weights = {f"{name}_weight": _array(layer.weight.T) for name, layer in layers.items()}
    return weights | {f"{name}_bias": _array(layer.bias) for name, layer in layers.items()}


def _take(net: Network, start: QuantileNetwork) -> None:
    with torch.no_grad():
        for name, layer in {"first": net.first, "second": net.second, "last": net.last}.items():
            layer.weight.copy_(torch.tensor(start.weights[f"{name}_weight"].T))
            layer.bias.copy_(torch.tensor(start.weights[f"{name}_bias"]))


def _array(tensor: Tensor) -> Array:
    return tensor.detach().numpy().astype(np.float64)


def _pinball(found: Tensor, came: Tensor) -> Tensor:
    levels = torch.tensor(LEVELS)
    short = came[..., None] - found
    return torch.maximum(levels * short, (levels - 1) * short).mean()


def _descend(
    net: Network, learned: Samples, held: Samples, plan: Schedule, progress: Progress
) -> None:
    """
    Train with Adam and a decaying learning rate, keeping the weights with the best held-back loss.
    """
    inputs, came = _tensors(learned)
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.learning_rate, weight_decay=1e-4)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, plan.epochs)
    best, best_at, kept = float("inf"), 0, net.state_dict()
    for epoch in range(plan.epochs):
        for rows in torch.split(torch.randperm(len(inputs)), plan.batch):
            optimiser.zero_grad()
            _pinball(net(inputs[rows]), came[rows]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        falling.step()
        loss = _loss(net, held)
        progress(epoch, loss)
        if loss < best:
            best, best_at = loss, epoch
            kept = {name: value.clone() for name, value in net.state_dict().items()}
        elif epoch - best_at >= plan.patience:
            break
    net.load_state_dict(kept)


def _loss(net: Network, held: Samples) -> float:
    inputs, came = _tensors(held)
    with torch.no_grad():
        return float(_pinball(net(inputs), came))


def _tensors(of: Samples) -> tuple[Tensor, Tensor]:
    return (
        torch.tensor(of.inputs, dtype=torch.float32),
        torch.tensor(of.came, dtype=torch.float32),
    )
