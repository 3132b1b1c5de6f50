"""
Does the loop always get to its plan, or say why it does not?

    python -m benchmarks.always_arrive [--json FILE] [--only 3]

Each state is played in virtual time on the simulated platform: pods that are in the way, more load
than there is budget for, pods that do not come, resizes that fail, a lost node. Whether the pods
are the plan's is judged from what is observed. Nothing here needs an interface that the loop got
later: to measure an earlier one, put its operator/ beside these benchmarks and this simulator, but
for observed.py, in which pods say more now. Where a loop names no rest, none is shown.

"reached" is the time from the disturbance until all pods were the plan's, Ready at their size;
"away" the longest unbroken time in which they were not; "over" the seconds with more than the
budget held, "unbroken" the longest of them in one piece.
"""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from benchmarks.always_arrive.playing import Arrived, played
from benchmarks.always_arrive.states import all_states
from benchmarks.columns import show_row

HEAD = (
    "reached",
    "away",
    "over",
    "unbroken",
    "most",
    "missed",
    "",
    "pods made",
    "plans",
    "for rps",
    "at the end",
)
row = partial(show_row, first_width=38, width=11)


@click.command()
@click.option("--only", help="States whose names begin so.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path))
def main(only: str | None, file: Path | None) -> None:
    """Play all states and print how each of them went."""
    row("", *HEAD)
    found = []
    for state in all_states():
        if only is None or state.name.startswith(only):
            found.append(played(state))
            row(found[-1].state, *cells(found[-1]))
    if file:
        file.write_text(json.dumps([asdict(one) for one in found], indent=1))


def cells(one: Arrived) -> tuple[str, ...]:
    return (
        "never" if one.reached_s is None else f"{one.reached_s:.0f} s",
        f"{one.longest_away_s:.0f} s",
        f"{one.seconds_over_budget:.0f} s",
        f"{one.longest_over_budget_s:.0f} s",
        f"{one.most_cores:.1f}",
        str(one.missed),
        f"{100 * one.missed_share:.1f} %",
        str(len(one.starts_s)),
        str(one.plan_changes),
        f"{one.highest_planned_rps:.0f}",
        f"   {one.end}",
    )


if __name__ == "__main__":
    main()
