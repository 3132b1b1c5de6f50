"""Train a network with many outputs: a hidden layer and a row of weights for each label.

It uses sampled softmax: only the logits of the correct labels and of a few thousand drawn ones are
computed, corrected for the sampling probability. Every input is fresh. Each row has its own
falling learning rate (Adagrad), since most labels occur rarely.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from infadapter_server.networks.sloaware import store
from infadapter_server.networks.sloaware.labels import FEATURES, Task, Tell, zipf

BATCH, DRAWN = 512, 2048
HIDDEN_RATE, ROW_RATE = 2e-3, 0.1
KEPT_EVERY = 250  # batches: what a stop loses at most
TRAINING_SEEDS = 1_000_000


@dataclass(slots=True)
class Rows:
    """The output layer: weights, biases (fixed at the labels' frequency), Adagrad's sums."""

    weights: Tensor
    bias: Tensor
    seen: Tensor


@dataclass(frozen=True, slots=True)
class Proposal:
    """Sampler of labels: half by flattened frequency, half uniformly."""

    heap: np.ndarray
    log_expected: Tensor

    @classmethod
    def of(cls, labels: int) -> "Proposal":
        flat = zipf(labels) ** 0.75
        share = 0.5 * flat / flat.sum() + 0.5 / labels
        expected = torch.from_numpy(np.log(DRAWN * share).astype(np.float32))
        return cls(np.cumsum(share), expected)

    def draw(self, seed: int) -> Tensor:
        at = np.random.default_rng([seed, 1]).random(DRAWN) * self.heap[-1]
        found = np.searchsorted(self.heap, at)
        return torch.from_numpy(np.minimum(found, len(self.heap) - 1))


def train(task: Task, hidden: int, batches: int, path: Path, tell: Tell) -> None:
    """Train and write the network's weights to `path`; resume an interrupted training."""
    torch.manual_seed(task.seed)
    first = nn.Linear(FEATURES, hidden)
    bias = torch.from_numpy(np.log(zipf(task.labels)).astype(np.float32))
    rows = Rows(torch.zeros(task.labels, hidden), bias, torch.full((task.labels,), 1e-8))
    kept = path.with_suffix(".unfinished.npz")
    began = _go_on(kept, first, rows)
    optimiser = torch.optim.Adam(first.parameters(), lr=HIDDEN_RATE)
    proposal = Proposal.of(task.labels)
    for batch in range(began, batches):
        rate = min(1.0, 1.2 * (1 - batch / batches))
        for group in optimiser.param_groups:
            group["lr"] = HIDDEN_RATE * rate
        _step(task, batch, first, rows, optimiser, proposal, ROW_RATE * rate)
        if batch % KEPT_EVERY == KEPT_EVERY - 1:
            _keep(kept, first, rows, batch + 1)
            tell(batch + 1, batches)
    _keep(path, first, rows, batches)
    kept.unlink(missing_ok=True)


def _step(
    task: Task,
    batch: int,
    first: nn.Linear,
    rows: Rows,
    optimiser: torch.optim.Optimizer,
    proposal: Proposal,
    rate: float,
) -> None:
    inputs, right = task.sample(BATCH, TRAINING_SEEDS + batch)
    drawn = proposal.draw(TRAINING_SEEDS + batch)
    used, where = torch.unique(torch.cat([torch.from_numpy(right), drawn]), return_inverse=True)
    weights = rows.weights[used].requires_grad_()
    # bfloat16: twice as fast; the weights themselves stay float32.
    with torch.autocast("cpu", torch.bfloat16):
        products = torch.relu(first(torch.from_numpy(inputs))) @ weights.T
    logits = products.float() + rows.bias[used]
    loss = _loss(logits, where[:BATCH], where[BATCH:], proposal.log_expected[drawn])
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    assert weights.grad is not None
    rows.seen[used] += weights.grad.square().mean(1)
    rows.weights[used] -= rate * weights.grad / rows.seen[used].sqrt()[:, None]


def _loss(logits: Tensor, right: Tensor, drawn: Tensor, log_expected: Tensor) -> Tensor:
    true = logits.gather(1, right[:, None])
    others = logits[:, drawn] - log_expected
    others = others.masked_fill(drawn[None, :] == right[:, None], -1e9)
    first = torch.zeros(len(right), dtype=torch.long)
    return nn.functional.cross_entropy(torch.cat([true, others], 1), first)


def _keep(path: Path, first: nn.Linear, rows: Rows, batches: int) -> None:
    arrays = {
        "hidden_weights": first.weight.detach().numpy(),
        "hidden_bias": first.bias.detach().numpy(),
        "weights": rows.weights.numpy(),
        "bias": rows.bias.numpy(),
        "seen": rows.seen.numpy(),
        "batches": np.array(batches),
    }
    store.write(path, arrays)


def _go_on(path: Path, first: nn.Linear, rows: Rows) -> int:
    if not path.exists():
        return 0
    names = ("hidden_weights", "hidden_bias", "weights", "seen", "batches")
    weights, bias, rows_weights, seen, batches = store.read(path, *names)
    with torch.no_grad():
        first.weight.copy_(torch.from_numpy(weights))
        first.bias.copy_(torch.from_numpy(bias))
    rows.weights, rows.seen = torch.from_numpy(rows_weights), torch.from_numpy(seen)
    return int(batches)
