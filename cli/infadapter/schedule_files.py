"""Files of `infadapter schedule replay`: models, arrivals, and outcomes."""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from infadapter.csv_files import BadFile, number_of, rows_of
from infadapter_scheduler import PAGE_BYTES, Arrival, Model, Served

BATCH = re.compile(r"b([1-9][0-9]{0,3})_ms")
MOST_MS, MOST_S, MOST_MB = 1e9, 1e7, 1e9
OUT = (
    "arrival_s",
    "model",
    "decided_s",
    "outcome",
    "executor",
    "batch",
    "start_s",
    "end_s",
    "cold",
)


class Row(NamedTuple):
    """An arrival with its time as written in the file."""

    text: str
    arrival: Arrival


def read_table(path: Path) -> dict[str, Model]:
    """Read one model per row; batch sizes are in the column names."""
    models: dict[str, Model] = {}
    for line, cells in rows_of(path, ("model", "weights_mb", "load_ms", "b1_ms")):
        where = f"{path}, line {line}"
        model = _model(cells, where)
        if model.name in models:
            raise BadFile(f"{where}: {model.name} is there twice.")
        models[model.name] = model
    if not models:
        raise BadFile(f"{path} has no models: give one a line.")
    return models


def _model(cells: Mapping[str, str], where: str) -> Model:
    name = cells["model"].strip()
    if not name:
        raise BadFile(f"{where}: a model needs a name.")
    execution_s = {
        int(found[1]): number_of(cells, column, where, 1e-6, MOST_MS) / 1000
        for column in cells
        if (found := BATCH.fullmatch(column)) and cells[column].strip()
    }
    if 1 not in execution_s:
        raise BadFile(f"{where}: {name} has no b1_ms, so one request alone could not be served.")
    weights_bytes = number_of(cells, "weights_mb", where, 0, MOST_MB) * 1e6
    load_s = number_of(cells, "load_ms", where, 0, MOST_MS) / 1000
    return Model(name, execution_s, load_s, math.ceil(weights_bytes / PAGE_BYTES))


def read_arrivals(path: Path, models: Mapping[str, Model]) -> list[Row]:
    """Return the arrivals in the order of the file."""
    rows: list[Row] = []
    names = {name: name for name in models}
    for line, cells in rows_of(path, ("arrival_s", "model", "slo_ms")):
        where = f"{path}, line {line}"
        name = names.get(cells["model"].strip())
        if name is None:
            raise BadFile(f"{where}: the table has no model {cells['model'].strip()!r}.")
        arrival_s = number_of(cells, "arrival_s", where, 0, MOST_S)
        slo_s = number_of(cells, "slo_ms", where, 1e-6, MOST_MS) / 1000
        rows.append(Row(cells["arrival_s"].strip(), Arrival(arrival_s, name, slo_s)))
    return rows


def write_outcomes(path: Path, rows: Sequence[Row], fates: Sequence[Served]) -> None:
    """
    Write outcomes. They are ordered by time, and arrivals at the same time keep the file's order.
    """
    order = sorted(range(len(rows)), key=lambda number: rows[number].arrival.arrival_s)
    by_row = dict(zip(order, fates, strict=True))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(OUT)
        writer.writerows(_outcome(row, by_row[number]) for number, row in enumerate(rows))


def _outcome(row: Row, fate: Served) -> tuple[str, ...]:
    decided = (row.text, row.arrival.model, _time(fate.decided_s), str(fate.outcome))
    if not fate.batch:
        return (*decided, "", "", "", "", "0")
    executor = fate.executor.rpartition("-")[2]
    times = (_time(fate.start_s), _time(fate.end_s))
    return (*decided, executor, str(fate.batch), *times, str(int(fate.cold)))


def _time(seconds: float) -> str:
    return f"{seconds:.9f}"
