"""`infadapter forecast train`: a network for one service, or the shipped one again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import click

from infadapter.files import check_writable, replacing
from infadapter.histories import Source, history_options, rates_of, source_of
from infadapter_forecasting import QuantileNetwork, Rates
from infadapter_workload.synthetic import training_traces

NETWORK, PUBLISHED, SCALED = "network", "published-lstm", "scaled-lstm"

SHIPPED = {"training_traces": 900, "varied_loads": 2_100}
"""How many loads of each kind the shipped network has learned from."""

SHIPPED_SEED = 1

LEAST_S = 3_600
"""Less than an hour shows too few windows to learn from."""


class Method(Protocol):
    def write(self, path: Path) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    method: str
    seed: int | None
    threads: int


Tell = Callable[[int, float], None]


@click.command("train", context_settings={"max_content_width": 100})
@history_options
@click.option("--synthetic", is_flag=True, help="Make the shipped network again, on made-up loads.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.npz",
    required=True,
    help="Written when all is done.",
)
@click.option(
    "--method",
    type=click.Choice([NETWORK, PUBLISHED, SCALED]),
    default=NETWORK,
    show_default=True,
    help="Ours, InfAdapter's as published, or that for a load of any size.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31),
    metavar="NUMBER",
    help="Of the order and of the first weights.  [default: 0, of an LSTM 7 as published]",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    metavar="NUMBER",
    default=1,
    show_default=True,
    help="Another number gives other weights.",
)
def train(
    synthetic: bool, output: Path, method: str, seed: int | None, threads: int, **options: Any
) -> None:
    """Train a forecaster on a service's own history, or on any trace.

    The network goes on from the shipped one, which was trained on made-up loads alone; a day of
    history takes it a minute or two. An LSTM starts from nothing, as InfAdapter's does.

    \b
    Examples:
      infadapter forecast train --trace requests.csv --output own.npz
      infadapter forecast train --trace requests.csv --method published-lstm --output lstm.npz
      infadapter forecast train --synthetic --output default.npz
    """
    source, order = source_of(options), Order(method=method, seed=seed, threads=threads)
    _check(synthetic, source, order, output)
    _check_torch()
    found = _shipped(order) if synthetic else _own(source, order)
    with replacing(output) as beside:
        found.write(beside)
    click.echo(f"The {method} is {output}")


def _check(synthetic: bool, source: Source, order: Order, output: Path) -> None:
    if synthetic == bool(source.trace.trace):
        raise click.UsageError("Give either --trace or --synthetic.")
    if synthetic and order.method == PUBLISHED:
        raise click.UsageError(
            f"{PUBLISHED} learns the size of one load: give --trace, or --method {SCALED}."
        )
    if output.suffix != ".npz":
        raise click.UsageError(f"--output must end in .npz, not {output.name}.")
    check_writable(output)


def _check_torch() -> None:
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as missing:
        raise click.ClickException(
            f"infadapter forecast train needs {missing.name}, which is not installed: "
            "pip install 'infadapter[forecast]'."
        ) from missing


def _own(source: Source, order: Order) -> Method:
    rates = rates_of(source).rates
    if len(rates) < LEAST_S:
        raise click.UsageError(f"{len(rates)} s are too short to learn from: give {LEAST_S} s.")
    return _trained([rates], order, QuantileNetwork.read())


def _shipped(order: Order) -> Method:
    from infadapter_forecasting.training.loads import varied_loads

    click.echo(f"Making {sum(SHIPPED.values()):,} loads", err=True)
    loads = training_traces(SHIPPED["training_traces"], SHIPPED_SEED)
    loads += varied_loads(SHIPPED["varied_loads"], SHIPPED_SEED)
    return _trained(loads, order, None)


def _trained(loads: Sequence[Rates], order: Order, start: QuantileNetwork | None) -> Method:
    if order.method == NETWORK:
        return _network(loads, order, start)
    from infadapter_forecasting.training import lstm

    seed = lstm.SEED if order.seed is None else order.seed
    schedule = lstm.LstmSchedule(threads=order.threads)
    tell = _telling(schedule.epochs)
    if order.method == PUBLISHED:
        return lstm.train_published_lstm(loads[0], seed=seed, schedule=schedule, progress=tell)
    return lstm.train_scaled_lstm(loads, seed=seed, schedule=schedule, progress=tell)


def _network(loads: Sequence[Rates], order: Order, start: QuantileNetwork | None) -> Method:
    from infadapter_forecasting.training import quantile_network as training

    plan = replace(training.ADAPTING if start else training.Schedule(), threads=order.threads)
    return training.train_quantile_network(
        loads, start=start, seed=order.seed or 0, schedule=plan, progress=_telling(plan.epochs)
    )


def _telling(epochs: int) -> Tell:
    """What progress there is, an epoch a line."""
    began_s = time.monotonic()

    def tell(epoch: int, loss: float) -> None:
        elapsed_s = time.monotonic() - began_s
        done = f"{epoch + 1} of {epochs} epochs done in {elapsed_s:.0f} s"
        click.echo(f"{done}, loss {loss:.4g}", err=True)

    return tell
