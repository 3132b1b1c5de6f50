"""What SuperServe says of SubNetAct (NSDI 2025), measured here.

\b
    python -m benchmarks.supernet                   the large network, and the trained one's notes
    python -m benchmarks.supernet --alone           ordinary networks of its shapes trained as well

On one thread. Ratios are of executions in turn, so that other programs slow both.
"""

import click
import torch

from benchmarks.machine import machine
from benchmarks.supernet import large, trained


@click.command(help=__doc__)
@click.option(
    "--side",
    "sides",
    type=click.IntRange(32, 512),
    multiple=True,
    default=(128, 224),
    show_default=True,
    help="Pixels.",
)
@click.option("--rounds", type=click.IntRange(3), default=15, show_default=True)
@click.option("--alone", is_flag=True, help="Train four networks, minutes.")
def main(sides: tuple[int, ...], rounds: int, alone: bool) -> None:
    torch.set_num_threads(1)
    print(machine("torch", "numpy"))
    if alone:
        trained.alone(("subnet-1", "subnet-3", "subnet-8", "subnet-13"))
        return
    large.report(sides, rounds)
    trained.statistics()


if __name__ == "__main__":
    main()
