"""Files of `infadapter sushi replay`: a scenario, queries, and outcomes."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from infadapter.csv_files import BadFile, number_of, rows_of
from infadapter_scheduler.subgraphs import (
    Answer,
    InvalidTable,
    LatencyTable,
    Query,
    Strict,
    SubGraph,
    SubNet,
)

MOST, MOST_EVERY = 1e9, 10**9
MOST_BYTES = 64 * 2**20
OUT = ("subnet", "subgraph", "latency_ms", "met")


@dataclass(frozen=True, slots=True)
class Scenario:
    table: LatencyTable
    every: int
    start: int  # the column that is cached first


def read_scenario(path: Path) -> Scenario:
    """Read the scenario. Raises BadFile."""
    found = _object(_json(path), f"{path}")
    every = _part(found, "every", f"{path}")
    if type(every) is not int or not 1 <= every <= MOST_EVERY:
        raise BadFile(f"{path}: every is {every!r}, no whole number from 1 to {MOST_EVERY:,}.")
    graphs = _object(_part(found, "subgraphs", f"{path}"), f"{path}: subgraphs")
    nets = _object(_part(found, "subnets", f"{path}"), f"{path}: subnets")
    try:
        table = LatencyTable(
            tuple(_subnet(name, nets[name], list(graphs), f"{path}: {name}") for name in nets),
            tuple(SubGraph(name, _vector(graphs[name], f"{path}: {name}")) for name in graphs),
        )
    except InvalidTable as error:
        raise BadFile(f"{path}: {error}.") from error
    start = _part(found, "start", f"{path}")
    if start not in list(graphs):
        raise BadFile(f"{path}: start is {start!r}, which is none of the subgraphs.")
    return Scenario(table, every, table.column(start))


def read_queries(path: Path) -> list[Query]:
    """Return the queries in the order of the file. Raises BadFile."""
    queries = []
    for line, cells in rows_of(path, ("policy", "accuracy", "latency_ms")):
        where, policy = f"{path}, line {line}", cells["policy"].strip()
        if policy not in list(Strict):
            raise BadFile(f"{where}: policy is {policy!r}, neither {' nor '.join(Strict)}.")
        accuracy = number_of(cells, "accuracy", where, 0, 1)
        latency_ms = number_of(cells, "latency_ms", where, 0, MOST)
        queries.append(Query(Strict(policy), accuracy, latency_ms))
    if not queries:
        raise BadFile(f"{path} has no queries: give one a line.")
    return queries


def write_answers(path: Path, table: LatencyTable, answers: Iterable[Answer]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(OUT)
        for answer in answers:
            names = table.subnets[answer.subnet].name, table.subgraphs[answer.subgraph].name
            writer.writerow((*names, f"{answer.latency_ms:.15g}", int(answer.met)))


def _subnet(name: str, content: object, graphs: list[str], where: str) -> SubNet:
    found = _object(content, where)
    latency_ms = _object(_part(found, "latency_ms", where), f"{where}: latency_ms")
    for graph in latency_ms:
        if graph not in graphs:
            raise BadFile(f"{where}: latency_ms names {graph!r}, which is none of the subgraphs.")
    return SubNet(
        name,
        _number(_part(found, "accuracy", where), f"{where}: accuracy", 0, 1),
        _vector(_part(found, "vector", where), where),
        tuple(
            _number(_part(latency_ms, graph, f"{where}: latency_ms"), f"{where}: {graph}", 0, MOST)
            for graph in graphs
        ),
    )


def _vector(content: object, where: str) -> tuple[float, ...]:
    if not isinstance(content, list) or not content:
        raise BadFile(f"{where}: the vector is no list of numbers, such as [64, 32].")
    return tuple(_number(one, f"{where}: a number of the vector", -MOST, MOST) for one in content)


def _number(value: object, where: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadFile(f"{where} is {value!r}, no number from {least:g} to {most:g}.")
    return float(value)


def _object(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadFile(f'{where} is no JSON object, such as {{"name": …}}.')
    if "" in value:
        raise BadFile(f"{where} has an empty name.")
    return value


def _part(found: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in found:
        raise BadFile(f"{where} has no {name!r}: it needs one.")
    return found[name]


def _json(path: Path) -> object:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = Counter(name for name, _ in found)
        if len(names) < len(found):
            raise BadFile(f"{path}: {names.most_common(1)[0][0]!r} is there twice.")
        return dict(found)

    def no_number(text: str) -> Never:
        raise BadFile(f"{path} has {text}, which is no number.")

    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise BadFile(f"{path} is larger than {MOST_BYTES // 2**20} MiB.")
        text = content.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=pairs, parse_constant=no_number)
    except json.JSONDecodeError as error:
        raise BadFile(f"{path}, line {error.lineno} is no JSON: {error.msg}.") from error
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON in UTF-8"
        raise BadFile(f"{path} can't be read: {reason}.") from error
