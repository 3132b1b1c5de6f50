"""
SUSHI on this CPU: SubNets of OFA-ResNet50's shapes with packed copies of their weights, measured.

What the authors' accelerator fetches from off-chip memory, a CPU copies, since leading slices of
shared weights are not contiguous. Weights are random, so accuracies are quoted and time is
measured.
"""

from collections.abc import Sequence

from infadapter_scheduler.subgraphs import EMPTY, Answer, BackEnd, Query, Strict
from infadapter_server.networks.subgraphs.measuring import OnCpu, Shape, measured
from infadapter_simulator.accelerator.networks import subnets
from infadapter_simulator.reproduction.result import Result
from infadapter_simulator.reproduction.sushi import locality
from infadapter_simulator.reproduction.sushi.asked import EVERY, Asked
from infadapter_simulator.reproduction.sushi.streams import stream
from infadapter_simulator.reproduction.sushi.systems import (
    BY_THE_TABLE,
    NO_CACHE,
    PRUNED,
    STATIC,
    SYSTEMS,
    means,
)

BUDGET_BYTES = 40_000_000
QUERIES_A_ROUND, MOST_ROUNDS = 200, 12
MOST_RUN, DWELL = 200, 32.0
RUN = (NO_CACHE, STATIC, PRUNED, BY_THE_TABLE)


def run(asked: Asked) -> Result:
    cpu = OnCpu(_shapes(), BUDGET_BYTES)
    rounds = max(1, min(MOST_ROUNDS, asked.queries // QUERIES_A_ROUND))
    of = measured(cpu, rounds, asked.tell)
    found = locality.found_of({BUDGET_BYTES: of}, asked)
    rows = [*locality.rows_of(found), *_run_rows(cpu, of, asked)]
    said = (
        "Measured on this machine with PyTorch: CPU time of one thread, batch 1, float32; the "
        f"least of {rounds} rounds for the table. Rows that say *run* are executed, query by "
        "query, each query by all systems in turn.",
        f"Copied for each query, or what fits kept: {_gains(of)}.",
        "A kept copy serves only SubNets of the same channels: here it matters which is kept.",
        *locality.SAID,
        locality.many(asked),
    )
    title = "OFA-ResNet50's shapes with packed weights on this CPU, measured"
    panels = locality.panels_of(found, "measured")
    return Result("cpu", title, locality.HEAD, rows, panels, "in a row", said, True)


def _shapes() -> list[Shape]:
    return [
        Shape(net.name, net.accuracy, net.parts, net.layers[0].pixels)
        for net in subnets("resnet50")
    ]


def _gains(of: BackEnd) -> str:
    return ", ".join(
        f"{net.name} {net.latency_ms[EMPTY]:.0f} → {min(net.latency_ms):.0f} ms"
        for net in of.table.subnets
    )


def _run_rows(cpu: OnCpu, of: BackEnd, asked: Asked) -> list[list[str]]:
    case = locality.Case(BUDGET_BYTES, Strict.ACCURACY, DWELL)
    number = min(MOST_RUN, asked.queries)
    queries = stream(of.table, case.strict, case.dwell, number, asked.draw(0))
    runs = [Executed(cpu.beside(), of, name, queries) for name in RUN]
    for query in queries:
        for one in runs:
            one.serve(query)
    found = {one.name: means(of, one.answers, one.took_ms) for one in runs}
    return [locality.row(case, f"{name}, run", found[name], found[NO_CACHE]) for name in RUN]


class Executed:
    """A system that executes its queries: it decides by the table, and times are measured."""

    def __init__(self, cpu: OnCpu, of: BackEnd, name: str, queries: Sequence[Query]) -> None:
        self.name = name
        self.answers: list[Answer] = []
        self.took_ms: list[float] = []
        self._cpu = cpu
        self._scheduler = SYSTEMS[name](of.table, EVERY, queries)
        self._kept = self._scheduler.cached
        self._cpu.keep_ms(self._kept)

    def serve(self, query: Query) -> None:
        answer = self._scheduler.serve(query)
        refill_ms = self._cpu.keep_ms(answer.subgraph) if answer.subgraph != self._kept else 0.0
        self._kept = answer.subgraph
        self.took_ms.append(refill_ms + self._cpu.run_ms(answer.subnet))
        self.answers.append(answer)
