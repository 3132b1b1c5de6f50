"""`infadapter sushi replay`: queries against SUSHI's scheduler, by a table of latencies."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import click

from infadapter.csv_files import BadFile
from infadapter.files import check_writable, replacing
from infadapter.subgraph_files import Scenario, read_queries, read_scenario, write_answers
from infadapter_scheduler.subgraphs import Answer, SubGraphScheduler, nearest, serve_all


@click.command("replay", context_settings={"max_content_width": 100})
@click.option(
    "--scenario", type=Path, required=True, metavar="FILE", help="SubNets and SubGraphs: JSON."
)
@click.option("--queries", type=Path, required=True, metavar="FILE", help="One a line: CSV.")
@click.option("--out", type=Path, required=True, metavar="FILE", help="What served them: CSV.")
def replay(scenario: Path, queries: Path, out: Path) -> None:
    """Replay queries and write which SubNet served each, and which SubGraph was cached then.

    \b
    --scenario  {"every": 2, "start": "G0",
                 "subgraphs": {"G0": [32, 0], "G1": [32, 64]},
                 "subnets": {"small": {"accuracy": 0.75, "vector": [32, 0],
                                       "latency_ms": {"G0": 7, "G1": 8}},
                             "large": {"accuracy": 0.80, "vector": [64, 64],
                                       "latency_ms": {"G0": 19, "G1": 12}}}}
                vectors say what there is of each layer, such as kernels and channels
    --queries   policy,accuracy,latency_ms
                strict_accuracy: the fastest SubNet that is accurate enough, or else the most
                accurate; strict_latency: the most accurate that is fast enough with what is
                cached, or else the fastest. Ties: the faster, then the scenario's order
    --out       subnet,subgraph,latency_ms,met
                a row for each query, in its order; met is 1 where the strict limit was kept

    After each `every` queries the SubGraph is cached whose vector is nearest (Euclid) to the mean
    of the vectors that served them; of equals the first. Latencies are the scenario's: the time
    that it takes to fill the cache is not in them.

    \b
    Example:
      infadapter sushi replay --scenario s.json --queries q.csv --out o.csv
    """
    check_writable(out)
    try:
        read, asked = read_scenario(scenario), read_queries(queries)
    except BadFile as error:
        raise click.UsageError(str(error)) from error
    scheduler = SubGraphScheduler(read.table, read.every, read.start, nearest(read.table))
    answers = list(serve_all(scheduler, asked))
    with replacing(out) as path:
        write_answers(path, read.table, answers)
    click.echo(summary(read, answers))


def summary(scenario: Scenario, answers: Sequence[Answer]) -> str:
    """How many limits were kept, and how often the cache changed."""
    met = sum(answer.met for answer in answers)
    accuracy = fmean(scenario.table.subnets[answer.subnet].accuracy for answer in answers)
    latency_ms = fmean(answer.latency_ms for answer in answers)
    columns = [scenario.start, *(answer.subgraph for answer in answers)]
    changes = sum(one != other for one, other in pairwise(columns))
    return (
        f"{len(answers):,} queries: {met:,} limits kept ({100 * met / len(answers):.2f} %), mean "
        f"accuracy {accuracy:.4f}, mean latency {latency_ms:.3f} ms, {changes:,} changes of the "
        "cache"
    )
