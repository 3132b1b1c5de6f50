"""RAMSIS's inputs (EuroSys'24): python -m benchmarks.ramsis --data FOLDER.

26 networks on cloud CPUs as one ladder, their trace of 27 steps, 150 ms, 60, 70 and 80 workers; a
batch takes the 95th percentile that was measured. Model-Switching's decisions are simulated as its
authors coded it, and it is told the load of each step. Violations: late or refused, of all.
"""

from functools import partial
from pathlib import Path

import click
import numpy as np

from benchmarks.columns import show_row
from benchmarks.machine import machine
from infadapter_simulator.reproduction.ramsis.decisions import decisions
from infadapter_simulator.reproduction.ramsis.inputs import (
    WORKERS,
    arrivals,
    fastest_for_accuracy,
    networks,
    trace,
)
from infadapter_simulator.reproduction.ramsis.serving import limit, looked_up, policies
from infadapter_simulator.reproduction.superserve.serving import delivered

row = partial(show_row, first_width=12, width=28)


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="The folder of the profiles and the trace, which aren't shipped.",
)
@click.option("--scale", type=click.FloatRange(0.01, 1), default=1.0, show_default=True)
@click.option("--seed", type=int, default=3, show_default=True)
def main(data: Path, scale: float, seed: int) -> None:
    """Accuracy of those on time, and violations, beside the published and the fluid limit."""
    model, steps = networks(data), trace(data)
    click.echo(f"{machine('numpy')}\n")
    row("workers", "policy", "accuracy %", "violations %")
    for workers in WORKERS:
        draw = np.random.default_rng(seed)
        decided = decisions(fastest_for_accuracy(model), workers, draw)
        for name, policy_of in policies(model, decided, steps, scale, workers).items():
            source = arrivals(steps, scale, np.random.default_rng(seed))
            found = delivered(policy_of(), model, source, workers)
            missed = f"{100 * (1 - found.attainment):.3f}"
            row(str(workers), name, f"{found.accuracy:.2f}", missed)
        row(
            str(workers),
            "as Model-Switching decides",
            f"{looked_up(model, decided, steps):.2f}",
            "",
        )
        row(str(workers), "fluid limit", f"{limit(model, workers, steps):.2f}", "")


if __name__ == "__main__":
    main()
