"""Train the demo's ladder and measure it; run once by the project, or to reproduce its results.

The three small networks are trained from scratch, the two large ones grown from the one below each.
Every image is fresh, drawn from a seed of its own, so none is seen twice and none is a test image.
The learning rate follows the number of images, not the clock: a busy machine only takes longer.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import torch
from torch import Tensor, nn

from infadapter_server.networks import glyphs, ladder, packing

_HELP = """Train the demo's five networks, measure them, and write both down.

\b
  python -m infadapter_server.networks.training                  what is not there yet
  python -m infadapter_server.networks.training --force          all anew: an hour or two
  python -m infadapter_server.networks.training --force glyph-5  one anew, grown from what is there

Each network is written as soon as it is trained, with its accuracy on 20,000 test images in
ladder.json. Ctrl-C loses only the one in work; the same command goes on from there.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Training parameters of a rung: the rung that it is grown from, if any, and its images."""

    seed: int
    grown_from: str | None
    images: int  # per round
    peak_rate: float  # the learning rate's highest value, reached after a tenth of the round
    rounds: int = 1  # warm restarts: the rate rises and falls this many times


RECIPES: Mapping[str, Recipe] = {
    "glyph-1": Recipe(seed=1, grown_from=None, images=500_000, peak_rate=6e-3),
    "glyph-2": Recipe(seed=4, grown_from=None, images=400_000, peak_rate=6e-3),
    "glyph-3": Recipe(seed=2, grown_from=None, images=400_000, peak_rate=6e-3),
    "glyph-4": Recipe(seed=3, grown_from="glyph-3", images=150_000, peak_rate=1.2e-3),
    "glyph-5": Recipe(seed=5, grown_from="glyph-4", images=150_000, peak_rate=1.5e-3, rounds=2),
}
TEST_SEED = 20_000  # training draws from seeds of a million and more
TEST_IMAGES = 20_000

_BATCH = 64
_DRAWN_AT_ONCE = 64 * _BATCH
_WARM_UP = 0.1


@click.command(help=_HELP, context_settings={"max_content_width": 100})
@click.argument("rungs", nargs=-1, metavar="[RUNG]...", type=click.Choice(ladder.RUNGS))
@click.option("--force", is_flag=True, help="Train also what has been trained already.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(str(ladder.WEIGHTS)),
    help="The folder for weights and ladder.json.  [default: the package's own]",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    help="Threads to compute with. On a machine that is busy otherwise, 1 is often faster.  "
    "[default: one per core]",
)
def main(rungs: tuple[str, ...], force: bool, into: Path, threads: int) -> None:
    torch.set_num_threads(threads)
    into.mkdir(parents=True, exist_ok=True)
    try:
        for name in ladder.RUNGS:
            if name in (rungs or ladder.RUNGS):
                _train_unless_there(name, into, force)
    except KeyboardInterrupt:
        click.echo("\nStopped. What was finished is kept; the same command goes on from there.")
        sys.exit(130)


def _train_unless_there(name: str, into: Path, force: bool) -> None:
    if not force and name in ladder.measured(into) and (into / f"{name}.pt").exists():
        click.echo(f"{name}  is there; --force trains it anew")
        return
    train_rung(name, RECIPES[name], into)


def train_rung(name: str, recipe: Recipe, into: Path, test_images: int = TEST_IMAGES) -> None:
    """Train one rung, write its weights, read them back, measure them and note the result."""
    started = time.monotonic()
    torch.manual_seed(recipe.seed)
    network = ladder.blank(name)
    if recipe.grown_from is not None:
        ladder.grow(ladder.build(recipe.grown_from, into), network)
    for seed in round_seeds(recipe):
        fit(network, recipe, seed, Progress(name, recipe.images))
        network.load_state_dict(packing.unpack(packing.pack(network.state_dict())))
    _replace(into / f"{name}.pt", network)
    taken_s = time.monotonic() - started
    accuracy = measure(ladder.build(name, into), test_images)
    note = {
        "accuracy": round(accuracy, 5),
        "test_images": test_images,
        "test_seed": TEST_SEED,
        "parameters": sum(tensor.numel() for tensor in network.parameters()),
        "grown_from": recipe.grown_from,
        "images": recipe.images,
        "rounds": recipe.rounds,
        "seed": recipe.seed,
        "taken_s": round(taken_s),
        "date": datetime.now(UTC).date().isoformat(),
        "torch": torch.__version__,
    }
    _note(name, note, into)
    click.echo(f"{name}  accuracy {accuracy:.4f} on {test_images:,} test images, {taken_s:.0f} s")


def fit(network: ladder.Network, recipe: Recipe, seed: int, progress: "Progress") -> None:
    """Show the network one round of the recipe's images, once each, in batches."""
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.05, fused=True)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    seen = 0
    for images, labels in _batches(recipe.images, seed):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(seen / recipe.images, recipe.peak_rate)
        # bfloat16: trains two to three times faster; the weights themselves stay float32.
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(network(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen += len(images)
        progress.show(seen, loss.item())


def learning_rate(done: float, peak: float) -> float:
    """Return the rate at a fraction of the training: up linearly, then down to zero."""
    return peak * min(done / _WARM_UP, (1 - done) / (1 - _WARM_UP)) + 1e-9


def measure(network: ladder.Network, n: int = TEST_IMAGES) -> float:
    """Return the fraction of n test images that the network names correctly, in float32."""
    images, labels = (torch.from_numpy(array) for array in glyphs.sample(n, TEST_SEED))
    right = 0
    with torch.inference_mode():
        for some, theirs in zip(torch.split(images, 500), torch.split(labels, 500), strict=True):
            right += int((network(some).argmax(1) == theirs).sum())
    return right / n


def round_seeds(recipe: Recipe) -> range:
    """Return a seed per round, apart from those of all other rungs."""
    return range(recipe.seed, recipe.seed + 10 * recipe.rounds, 10)


def lots(seed: int, images: int) -> range:
    """Return the seeds of the lots, of `_DRAWN_AT_ONCE` images each, that a round is made of."""
    return range(1_000_000 * seed, 1_000_000 * seed - (-images // _DRAWN_AT_ONCE))


def _batches(total: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of fresh images, drawing the next lot while the last is learnt from."""
    left_lots = iter(lots(seed, total))
    with ThreadPoolExecutor(1) as artist:
        coming = artist.submit(glyphs.sample, _DRAWN_AT_ONCE, next(left_lots))
        for left in range(total, 0, -_DRAWN_AT_ONCE):
            images, labels = (torch.from_numpy(array[:left]) for array in coming.result())
            if left > _DRAWN_AT_ONCE:
                coming = artist.submit(glyphs.sample, _DRAWN_AT_ONCE, next(left_lots))
            images = images.to(memory_format=torch.channels_last)
            yield from zip(torch.split(images, _BATCH), torch.split(labels, _BATCH), strict=True)


class Progress:
    """Progress line with images, loss and time left; on a terminal it is overwritten."""

    def __init__(self, name: str, total: int) -> None:
        self._name = name
        self._total = total
        self._live = sys.stdout.isatty()
        self._every_s = 1 if self._live else 30
        self._started = self._shown = time.monotonic()
        self._loss = 0.0
        self._batches = 0

    def show(self, seen: int, loss: float) -> None:
        self._loss += loss
        self._batches += 1
        now = time.monotonic()
        if now - self._shown < self._every_s and seen < self._total:
            return
        left_s = (now - self._started) * (self._total - seen) / seen
        line = f"{self._name}  {seen:>7,} of {self._total:,} images"
        line += f"  loss {self._loss / self._batches:.3f}  {left_s / 60:.1f} min left"
        last = seen >= self._total or not self._live
        click.echo(("\r" if self._live else "") + line, nl=last)
        self._shown, self._loss, self._batches = now, 0.0, 0


def _replace(path: Path, network: ladder.Network) -> None:
    """Write the weights so that a reader finds the old file or the new one, never a partial one."""
    beside = path.with_suffix(".part")
    torch.save(packing.pack(network.state_dict()), beside)
    os.replace(beside, path)


def _note(name: str, note: Mapping[str, object], into: Path) -> None:
    notes = {**ladder.measured(into), name: note}
    ordered = {rung: notes[rung] for rung in ladder.RUNGS if rung in notes}
    (into / "ladder.json").write_text(json.dumps(ordered, indent=2) + "\n")


if __name__ == "__main__":
    main()
