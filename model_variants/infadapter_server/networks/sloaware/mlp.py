"""An MLP whose wide hidden layer computes only the nodes that matter for inputs like this one.

A hidden node's weights from the input are one contiguous row, and those to the outputs another, so
leaving a node out saves both. Each bucket of inputs has a ranking of nodes, and for each share of
nodes a known rate of agreement with the full network. This pays if few nodes are active for an
input, which an L1 penalty on activations achieves in training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from infadapter_server.networks.signatures import Floats
from infadapter_server.networks.sloaware import hashing, importance, kernels, store
from infadapter_server.networks.sloaware.labels import FEATURES, Labels, Task, Tell

CLASSES, KINDS = 60, 600
NOISE = 0.17
BATCH = 512
RATE = 3e-3
TRAINING_SEEDS = 2_000_000


@dataclass(frozen=True, slots=True)
class Kinds:
    """Task with several kinds per class, equally frequent; kinds of a class share nothing."""

    task: Task = field(default_factory=lambda: Task(labels=KINDS, alike=0.0, noise=NOISE))

    def sample(self, n: int, seed: int) -> tuple[Floats, Labels]:
        draw = np.random.default_rng([self.task.seed, KINDS, seed])
        kinds = draw.integers(KINDS, size=n)
        noise = np.float32(NOISE) * draw.standard_normal((n, FEATURES), np.float32)
        return self.task.prototypes[kinds] + noise, kinds % CLASSES


@dataclass(frozen=True, slots=True)
class Mlp:
    rows: Floats
    bias: Floats
    onward: Floats  # [hidden, classes]
    out_bias: Floats

    def logits(self, inputs: Floats) -> Floats:
        return self.active(inputs) @ self.onward + self.out_bias

    def active(self, inputs: Floats) -> Floats:
        active: Floats = np.maximum(inputs @ self.rows.T + self.bias, 0)
        return active

    def full(self, x: Floats) -> int:
        out = self.out_bias.copy()
        kernels.hidden_sum_of_all(self.rows, self.bias, self.onward, x, out)
        return int(out.argmax())

    def of(self, x: Floats, nodes: npt.NDArray[np.int32]) -> int:
        out = self.out_bias.copy()
        kernels.hidden_sum(self.rows, self.bias, self.onward, x, nodes, out)
        return int(out.argmax())


@dataclass(frozen=True, slots=True)
class HashedMlp:
    """`ranked` [buckets, nodes]."""

    mlp: Mlp
    hash: hashing.Hash
    ranked: npt.NDArray[np.int32]

    @classmethod
    def learnt(cls, mlp: Mlp, hash: hashing.Hash, inputs: Floats) -> "HashedMlp":
        passed_on = np.linalg.norm(mlp.onward, axis=1)
        of = hash.of_all(inputs)
        active = mlp.active(inputs)
        return cls(mlp, hash, importance.ranked_hidden(active, passed_on, of, hash.buckets))

    def answer(self, x: Floats, nodes: int) -> int:
        return self.mlp.of(x, self.ranked[self.hash.of(x), :nodes])

    def answers(self, inputs: Floats, nodes: Sequence[int]) -> Labels:
        """Return the answers of the compiled loop, [inputs, shares]."""
        return np.array([[self.answer(x, many) for many in nodes] for x in inputs])


def train(hidden: int, penalty: float, batches: int, path: Path, tell: Tell) -> None:
    import torch
    from torch import nn

    torch.manual_seed(1)
    first, last = nn.Linear(FEATURES, hidden), nn.Linear(hidden, CLASSES)
    weights = [*first.parameters(), *last.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.01)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=batches)
    kinds = Kinds()
    for batch in range(batches):
        inputs, labels = kinds.sample(BATCH, TRAINING_SEEDS + batch)
        with torch.autocast("cpu", torch.bfloat16):
            active = torch.relu(first(torch.from_numpy(inputs)))
            logits = last(active)
        loss = nn.functional.cross_entropy(logits.float(), torch.from_numpy(labels))
        sparse = penalty * min(1.0, 2 * batch / batches)
        loss = loss + sparse * active.float().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        rates.step()
        tell(batch + 1, batches)
    arrays = {
        "rows": first.weight.detach().numpy(),
        "bias": first.bias.detach().numpy(),
        "onward": np.ascontiguousarray(last.weight.detach().numpy().T),
        "out_bias": last.bias.detach().numpy(),
    }
    store.write(path, arrays)


def read(path: Path) -> Mlp:
    return Mlp(*store.read(path, "rows", "bias", "onward", "out_bias"))
