"""
Training of an elastic network by the sandwich rule with distillation, as in Slimmable Networks.

Every step trains the largest SubNet on the labels, and the smallest and two random ones on the
largest's outputs (Yu & Huang, ICCV 2019). This trains all SubNets, too many to enumerate.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from infadapter_server.networks.adaptive.elastic import Elastic, blank_statistics
from infadapter_server.networks.adaptive.space import SubNet
from infadapter_server.networks.training import learning_rate

__all__ = ["Recipe", "fit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Training parameters; the learning rate rises to its peak and falls to zero once."""

    seed: int = 1
    signals: int = 50_000
    epochs: int = 12
    batch: int = 128
    peak_rate: float = 8e-3
    random_subnets: int = 2


def fit(
    network: Elastic,
    recipe: Recipe,
    data: tuple[Tensor, Tensor],
    checkpoint: Path,
    show: Callable[[int, float], None],
) -> None:
    """Train, from the checkpoint if there is one, and write a checkpoint after every epoch."""
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    for epoch in range(_resume(network, optimiser, checkpoint), recipe.epochs):
        # One seed per epoch, so that an interrupted training resumes with the same draws.
        rng = random.Random(f"{recipe.seed} {epoch}")
        for number, (signals, labels) in enumerate(_batches(data, recipe, epoch)):
            seen = epoch * recipe.signals + number * recipe.batch
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(
                    seen / (recipe.epochs * recipe.signals), recipe.peak_rate
                )
            optimiser.zero_grad()
            loss = _step(network, recipe, rng, signals, labels)
            optimiser.step()
            show(seen + len(signals), loss)
        _keep(network, optimiser, epoch + 1, checkpoint)


def _step(
    network: Elastic, recipe: Recipe, rng: random.Random, signals: Tensor, labels: Tensor
) -> float:
    """Accumulate the gradients of all trained SubNets and return the largest's loss."""
    space = network.space
    answers = _answers(network, space.largest(), signals)
    loss = functional.cross_entropy(answers, labels)
    loss.backward()  # type: ignore[no-untyped-call]
    taught = functional.softmax(answers.detach(), 1)
    others = [space.sample(rng) for _ in range(recipe.random_subnets)]
    for subnet in (space.smallest(), *others):
        distance = functional.cross_entropy(_answers(network, subnet, signals), taught)
        distance.backward()  # type: ignore[no-untyped-call]
    return loss.item()


def _answers(network: Elastic, subnet: SubNet, signals: Tensor) -> Tensor:
    unused = blank_statistics(network.space, subnet)
    return network.compute(signals, subnet, network.bind(subnet, unused), rate=1.0)


def _batches(
    data: tuple[Tensor, Tensor], recipe: Recipe, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1000 * recipe.seed + epoch)
    order = torch.randperm(recipe.signals, generator=generator)
    for some in torch.split(order, recipe.batch):
        yield data[0][some], data[1][some]


def _resume(network: Elastic, optimiser: torch.optim.Optimizer, checkpoint: Path) -> int:
    """Restore the checkpoint, if any, and return the number of completed epochs."""
    if not checkpoint.exists():
        return 0
    kept: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    network.load_state_dict(kept["network"])
    optimiser.load_state_dict(kept["optimiser"])
    done: int = kept["epochs"]
    return done


def _keep(
    network: Elastic, optimiser: torch.optim.Optimizer, epochs: int, checkpoint: Path
) -> None:
    """Write the checkpoint atomically."""
    content = {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "epochs": epochs,
    }
    beside = checkpoint.with_suffix(".new")
    torch.save(content, beside)
    beside.replace(checkpoint)
