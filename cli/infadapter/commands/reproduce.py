"""`infadapter reproduce`: published evaluations, run again beside their figures."""

import click

from infadapter.late_commands import Entry, LateCommands

PAPERS = {
    "clockwork": Entry(
        "infadapter.commands.reproduce_clockwork",
        "clockwork",
        "Clockwork (OSDI'20): its evaluation, in virtual time.",
    ),
    "infadapter": Entry(
        "infadapter.commands.reproduce_infadapter",
        "infadapter",
        "InfAdapter (EuroMLSys'23): itself, MS+ and VPA+ on 20 cores.",
    ),
    "slo-nn": Entry(
        "infadapter.commands.reproduce_slo_nn",
        "slo_nn",
        "SLO-aware networks (arXiv 2204.08400), measured here.",
    ),
    "superserve": Entry(
        "infadapter.commands.reproduce_superserve",
        "superserve",
        "SuperServe (NSDI'25): one SuperNet under bursts.",
    ),
    "sushi": Entry(
        "infadapter.commands.reproduce_sushi",
        "sushi",
        "SUSHI (MLSys'23): SubNets, and which SubGraph is cached.",
    ),
}


@click.group(
    "reproduce", cls=LateCommands, entries=PAPERS, context_settings={"max_content_width": 100}
)
def reproduce() -> None:
    """Run a published evaluation again, and print what comes out beside what was published.

    \b
    Example:
      infadapter reproduce infadapter --trace day15.csv --seeds 10
      infadapter reproduce clockwork --experiment 6.5
      infadapter reproduce slo-nn --experiment labels
      infadapter reproduce superserve --experiment bursty
      infadapter reproduce sushi --experiment published
    """
