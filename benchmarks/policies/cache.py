"""Results as lines of JSON, written by whoever has one: an end loses only what is under way."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from infadapter_simulator.measures import Measures
from infadapter_simulator.report.means import MEASURES

Values = Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Whose result it is, but for the seed."""

    case: str
    policy: str
    index: int  # of the policy's candidates
    sources: str  # digests: of what made it,
    asked: str  # of the trace and the scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    key: Key
    seed: int
    candidate: str
    cpu_s: float
    values: Values

    @property
    def measures(self) -> Measures:
        own = {name: self.values.get(name) for name in MEASURES}  # older ones have fewer
        return Measures(**own)  # type: ignore[arg-type]


@dataclass(slots=True)
class Cache:
    path: Path
    records: dict[tuple[Key, int], Record] = field(default_factory=dict)

    def read(self) -> None:
        """All that is whole; the last line of a process that was ended may not be."""
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                found = json.loads(line)
            except json.JSONDecodeError:
                continue
            record = Record(**{**found, "key": Key(**found["key"])})
            self.records[record.key, record.seed] = record

    def latest(self, case: str, policy: str, sources: str) -> list[Record]:
        """Those made by these sources; where there are none, by the same as the last one."""
        found = [r for r in self.records.values() if (r.key.case, r.key.policy) == (case, policy)]
        found = [r for r in found if r.key.sources == sources] or found
        return [r for r in found if _made_by(r) == _made_by(found[-1])]


def write(path: Path, record: Record) -> None:
    """In one piece, as several processes do."""
    line = json.dumps(asdict(record)) + "\n"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _made_by(record: Record) -> tuple[str, str]:
    return record.key.sources, record.key.asked
