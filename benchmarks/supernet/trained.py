"""The trained SuperNet beside ordinary networks of its SubNets' shapes, trained alone."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from infadapter_server.networks.adaptive import signals
from infadapter_server.networks.adaptive.plain import Plain
from infadapter_server.networks.adaptive.sandwich import Recipe
from infadapter_server.networks.adaptive.supernet import SuperNet, noted, open_supernet
from infadapter_server.networks.adaptive.training import TEST_SEED
from infadapter_server.networks.training import learning_rate


def statistics() -> None:
    """As training measured it, on the test signals."""
    notes = noted()
    print(f"\naccuracy on {notes['test_signals']:,} test signals, %; ms for 16 signals")
    print(f"  {'':10} {'own statistics':>14} {'shared':>8} {'ms':>6}")
    for name, point in notes["points"].items():
        shared = point["accuracy_with_shared_statistics"]
        print(
            f"  {name:10} {100 * point['accuracy']:14.2f} {100 * shared:8.2f} "
            f"{1000 * point['execution_s']['16']:6.2f}"
        )


def alone(names: Sequence[str]) -> None:
    """At equal latency, for it is the same shape: what does sharing weights cost in accuracy?"""
    served, recipe = open_supernet(), Recipe()
    drawn = tuple(map(torch.from_numpy, signals.sample(recipe.signals, recipe.seed)))
    test = tuple(map(torch.from_numpy, signals.sample(noted()["test_signals"], TEST_SEED)))
    print(
        f"\ntrained alone for as many signals ({recipe.epochs} × {recipe.signals:,}), accuracy, %"
    )
    for name in names:
        plain = _trained(served, name, recipe, drawn)
        point = served.selected[name].point
        gap = 100 * (point.accuracy - _accuracy(plain, test))
        print(
            f"  {name:10} SubNet {100 * point.accuracy:.2f}, alone "
            f"{100 * _accuracy(plain, test):.2f}, difference {gap:+.2f}",
            flush=True,
        )


def _trained(served: SuperNet, name: str, recipe: Recipe, data: tuple[Tensor, ...]) -> Plain:
    torch.manual_seed(recipe.seed)
    plain = Plain(served.network.space, served.selected[name].subnet).train()
    optimiser = torch.optim.AdamW(plain.parameters(), weight_decay=0.02)
    rng, steps = random.Random(recipe.seed), recipe.epochs * recipe.signals // recipe.batch
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step / steps, recipe.peak_rate)
        some = torch.tensor(rng.sample(range(recipe.signals), recipe.batch))
        loss = functional.cross_entropy(plain(data[0][some]), data[1][some])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return plain.eval()


def _accuracy(plain: Plain, test: tuple[Tensor, ...]) -> float:
    with torch.inference_mode():
        answers = torch.cat([plain(some).argmax(1) for some in torch.split(test[0], 500)])
    return float((answers == test[1]).float().mean())
