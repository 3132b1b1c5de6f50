"""
Train InfAdapter's forecaster like its authors, and its variant for any scale.

Keras' LSTM is written out, since its activation (relu), initial weights and the optimiser's epsilon
differ from torch's. The seed, 7, is the authors'; the random numbers are not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from infadapter_forecasting.forecaster import Array, Rates
from infadapter_forecasting.lstm import MINUTE_S, MINUTES, UNITS, PublishedLstm, ScaledLstm

SEED = 7
L1 = 1e-5
"""L1 regularisation of the kernel."""

Progress = Callable[[int, float], None]
"""Called with (epoch, training loss)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LstmSchedule:
    epochs: int = 30
    batch: int = 64
    learning_rate: float = 1e-3
    threads: int = 2


def train_published_lstm(
    rates: Rates,
    *,
    seed: int = SEED,
    schedule: LstmSchedule | None = None,
    progress: Progress | None = None,
) -> PublishedLstm:
    """Train on one trace, in rps."""
    windows, following = _minutes(rates)
    return PublishedLstm(weights=_train(windows, following, seed, schedule, progress))


def train_scaled_lstm(
    traces: Sequence[Rates],
    *,
    seed: int = SEED,
    schedule: LstmSchedule | None = None,
    progress: Progress | None = None,
) -> ScaledLstm:
    """Train on many traces, each window divided by its maximum."""
    pairs = [_minutes(trace) for trace in traces if len(trace) > MINUTE_S * (MINUTES + 1)]
    windows = np.concatenate([pair[0] for pair in pairs])
    following = np.concatenate([pair[1] for pair in pairs])
    scale = windows.max(axis=1)
    seen = scale > 0
    arrays = _train(
        windows[seen] / scale[seen, None], following[seen] / scale[seen], seed, schedule, progress
    )
    return ScaledLstm(weights=arrays)


def _minutes(rates: Rates) -> tuple[Array, Array]:
    """Return (windows, 10) and (windows,): maxima of whole minutes, and of the minute after."""
    whole = len(rates) // MINUTE_S
    maxima = rates[: whole * MINUTE_S].reshape(whole, MINUTE_S).max(axis=1)
    pairs = np.lib.stride_tricks.sliding_window_view(maxima, MINUTES + 1)
    return pairs[:, :-1], pairs[:, -1]


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, 4 * UNITS)))
        self.recurrent = nn.Parameter(nn.init.orthogonal_(torch.empty(UNITS, 4 * UNITS)))
        forget_first = torch.zeros(4 * UNITS)
        forget_first[UNITS : 2 * UNITS] = 1.0
        self.bias = nn.Parameter(forget_first)
        self.dense_weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(UNITS, 1)))
        self.dense_bias = nn.Parameter(torch.zeros(1))

    def forward(self, windows: Tensor) -> Tensor:
        hidden = windows.new_zeros(len(windows), UNITS)
        cell = hidden
        for minute in windows.unbind(dim=1):
            gates = minute[:, None] * self.kernel + hidden @ self.recurrent + self.bias
            put, keep, candidate, out = gates.chunk(4, dim=1)
            cell = torch.sigmoid(keep) * cell + torch.sigmoid(put) * torch.relu(candidate)
            hidden = torch.sigmoid(out) * torch.relu(cell)
        return (hidden @ self.dense_weight + self.dense_bias)[:, 0]

    def to_numpy(self) -> dict[str, Array]:
        """Return the weights by name, as `PublishedLstm` takes them."""
        return {name: _array(value) for name, value in self.named_parameters()}


def _train(
    windows: Array,
    following: Array,
    seed: int,
    schedule: LstmSchedule | None,
    progress: Progress | None,
) -> dict[str, Array]:
    plan = schedule or LstmSchedule()
    torch.set_num_threads(min(plan.threads, torch.get_num_threads()))
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        net = Network()
        _descend(net, _tensor(windows), _tensor(following), plan, progress)
    return net.to_numpy()


def _descend(
    net: Network, windows: Tensor, following: Tensor, plan: LstmSchedule, progress: Progress | None
) -> None:
    optimiser = torch.optim.Adam(net.parameters(), lr=plan.learning_rate, eps=1e-7)
    for epoch in range(plan.epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(len(windows)), plan.batch):
            optimiser.zero_grad()
            loss = nn.functional.mse_loss(net(windows[rows]), following[rows])
            (loss + L1 * net.kernel.abs().sum()).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach()) * len(rows)
        if progress:
            progress(epoch, total / len(windows))


def _tensor(array: Array) -> Tensor:
    return torch.tensor(array, dtype=torch.float32)


def _array(tensor: Tensor) -> Array:
    return tensor.detach().numpy().astype(np.float64)
