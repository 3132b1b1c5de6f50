"""Trains the SuperNet that ships with this package, searches its SubNets, and notes what it found.

Training, search and test have signals of different seeds. Weights follow from the recipe alone, on
one thread; which SubNets are kept also depends on what they cost where it is run.
"""

import hashlib
import io
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

from infadapter_server.networks.adaptive import signals, supernet
from infadapter_server.networks.adaptive.calibration import (
    accuracy,
    calibrate,
    shared_statistics,
)
from infadapter_server.networks.adaptive.elastic import Elastic, Statistics
from infadapter_server.networks.adaptive.sandwich import Recipe, fit
from infadapter_server.networks.adaptive.search import (
    Found,
    Search,
    cpu_seconds,
    front,
    search,
    thinned,
)
from infadapter_server.networks.adaptive.shapes import MNIST1D
from infadapter_server.networks.adaptive.space import SubNet
from infadapter_server.networks.notes import WEIGHTS
from infadapter_server.networks.packing import pack, unpack
from infadapter_server.networks.training import Progress

_HELP = """Train the SuperNet on MNIST-1D, search its SubNets, and write both down.

\b
  python -m infadapter_server.networks.adaptive.training           what is not there yet
  python -m infadapter_server.networks.adaptive.training --force   anew: a quarter of an hour

Ctrl-C loses at most an epoch, half a minute; the same command goes on from there.
"""

SEARCH_SEED, TEST_SEED = 20_001, 20_000
BATCH_SIZES = (1, 2, 4, 8, 16)
CHECKPOINT = "mnist1d.part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    recipe: Recipe = field(default_factory=Recipe)
    search: Search = field(default_factory=Search)
    calibration: int = 5_000  # training signals
    held_out: int = 10_000
    test: int = 20_000
    points: int = 14  # chosen by the search; the test drops those that aren't on its front


@click.command(help=_HELP, context_settings={"max_content_width": 100})
@click.option("--force", is_flag=True, help="Train anew what has been trained already.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(str(WEIGHTS)),
    help="The folder for weights and notes.  [default: the package's own]",
)
def main(force: bool, into: Path) -> None:
    torch.set_num_threads(1)
    into.mkdir(parents=True, exist_ok=True)
    if not force and (into / supernet.WEIGHTS_FILE).exists():
        click.echo("The SuperNet is there; --force trains it anew.")
        return
    try:
        train(into, Plan())
    except KeyboardInterrupt:
        click.echo("\nStopped. The same command goes on from the last epoch.")
        sys.exit(130)
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is missing, which draws the signals: pip install {error.name}."
        ) from None


def train(into: Path, plan: Plan) -> None:
    """Train, round, search, measure, and write weights with their notes."""
    began_s, checkpoint = time.monotonic(), into / CHECKPOINT
    network, data = trained(plan.recipe, checkpoint)
    calibration = data[0][: plan.calibration]
    held_out = _signals(plan.held_out, SEARCH_SEED)
    best = search(network, calibration, held_out, plan.search, _show)
    chosen = [found.subnet for found in thinned(best, plan.points)]
    statistics = {subnet: calibrate(network, subnet, calibration) for subnet in chosen}
    measured = _measured(network, statistics, calibration, _signals(plan.test, TEST_SEED))
    kept = _named(measured)
    notes = {
        "points": {name: measured[subnet] for name, subnet in kept.items()},
        "test_signals": plan.test,
        "test_seed": TEST_SEED,
        "recipe": asdict(plan.recipe),
        "taken_s": round(time.monotonic() - began_s),
        "date": datetime.now(UTC).date().isoformat(),
        "torch": torch.__version__,
    }
    write(into, network, {name: statistics[subnet] for name, subnet in kept.items()}, notes)
    checkpoint.unlink()


def trained(recipe: Recipe, checkpoint: Path) -> tuple[Elastic, tuple[Tensor, Tensor]]:
    """Return the trained network, rounded to eight bits as stored, and its training data."""
    torch.manual_seed(recipe.seed)
    network = Elastic(MNIST1D)
    data = _signals(recipe.signals, recipe.seed)
    progress = Progress("mnist1d", recipe.epochs * recipe.signals)
    fit(network, recipe, data, checkpoint, progress.show)
    network.load_state_dict(unpack(pack(network.state_dict())))
    return network.eval(), data


def write(
    into: Path, network: Elastic, statistics: Mapping[str, Statistics], notes: Mapping[str, Any]
) -> None:
    """Write the weights, then the notes, which hold the weights' checksum."""
    own = {supernet.STATISTICS + name: each for name, each in statistics.items()}
    buffer = io.BytesIO()
    torch.save({**pack(network.state_dict()), **own}, buffer)
    content = buffer.getvalue()
    for name, written in (
        (supernet.WEIGHTS_FILE, content),
        (supernet.NOTES, _json({"sha256": hashlib.sha256(content).hexdigest(), **notes})),
    ):
        beside = into / f"{name}.new"
        beside.write_bytes(written)
        beside.replace(into / name)


def _measured(
    network: Elastic,
    statistics: Mapping[SubNet, Statistics],
    calibration: Tensor,
    test: tuple[Tensor, Tensor],
) -> dict[SubNet, dict[str, Any]]:
    """Return the notes on each point, measured on signals that the search did not use."""
    largest = calibrate(network, network.space.largest(), calibration)
    points = {}
    for subnet, own in statistics.items():
        bound = network.bind(subnet, own)
        shared = network.bind(subnet, shared_statistics(network, subnet, largest))
        seconds = {n: cpu_seconds(network, subnet, bound, test[0][:n]) for n in BATCH_SIZES}
        points[subnet] = {
            "accuracy": round(accuracy(network, subnet, bound, *test), 5),
            "accuracy_with_shared_statistics": round(accuracy(network, subnet, shared, *test), 5),
            "execution_s": {size: round(spent, 7) for size, spent in seconds.items()},
            "weights": network.space.weights(subnet),
            "stream": subnet.stream,
            "widths": subnet.widths,
        }
    return points


def _named(measured: Mapping[SubNet, Mapping[str, Any]]) -> dict[str, SubNet]:
    """Return the SubNets still on the front in the test, named by rank of accuracy."""
    tested = front(
        Found(subnet, told["accuracy"], told["execution_s"][BATCH_SIZES[-1]])
        for subnet, told in measured.items()
    )
    for rank, each in enumerate(tested, start=1):
        click.echo(f"subnet-{rank}  accuracy {each.accuracy:.4f}")
    return {f"subnet-{rank}": each.subnet for rank, each in enumerate(tested, start=1)}


def _signals(n: int, seed: int) -> tuple[Tensor, Tensor]:
    drawn, labels = signals.sample(n, seed)
    return torch.from_numpy(drawn), torch.from_numpy(labels)


def _show(number: int, best: Sequence[Found]) -> None:
    accuracies = f"{best[0].accuracy:.3f} to {best[-1].accuracy:.3f}"
    click.echo(f"search  round {number}: {len(best)} on the front, {accuracies}")


def _json(notes: Mapping[str, Any]) -> bytes:
    return (json.dumps(notes, indent=1) + "\n").encode()


if __name__ == "__main__":
    main()
