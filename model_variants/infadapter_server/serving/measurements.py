"""
What was measured of each model when it was loaded: its bytes, and its seconds on this machine.

It is kept in a small file beside the repository where that can be written, so that a restart
needn't load every model once to know them. It only seeds estimates: what runs corrects them.
"""

import errno
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infadapter_profiles.regular import regular_bytes
from infadapter_profiles.whole import replacing
from infadapter_server.networks.adaptive.points import Point

__all__ = ["FILE", "Measured", "Measurements", "machine"]

FILE = ".infadapter-measured.json"
MOST_BYTES = 16 * 2**20
_SIZE = re.compile("[1-9][0-9]{0,5}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`execution_s` is by batch size; of a network with operating points, the most accurate's."""

    weights_bytes: int
    load_s: float
    execution_s: Mapping[int, float]
    points: tuple[Point, ...] = ()


class Measurements:
    """`path` None: nothing outlives the process. `where`: the machine, whose seconds these are."""

    def __init__(self, path: Path | None, where: str = "") -> None:
        self._path, self._where = path, where
        written = self._read().get(where, {})
        self._known = {name: (entry["stamp"], _parse(entry)) for name, entry in written.items()}

    def of(self, name: str, stamp: str) -> Measured | None:
        """Of a model as it is now: its stamp tells whether it is still the one that was loaded."""
        known = self._known.get(name)
        return known[1] if known is not None and known[0] == stamp else None

    def remember(self, name: str, stamp: str, measured: Measured) -> None:
        self._known[name] = stamp, measured
        if self._path is None:
            return
        try:
            self._write(self._path)
        except OSError as error:
            _log.info("%s isn't written: %s; each start measures anew", self._path, error.strerror)
            self._path = None

    def _read(self) -> dict[str, dict[str, Any]]:
        """All machines' entries; a file that can't be understood is as none."""
        try:
            content = json.loads(regular_bytes(self._path, MOST_BYTES)) if self._path else {}
            return {where: dict(filter(_sound, known.items())) for where, known in content.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            _log.warning("%s is ignored: %s", self._path, error)
            return {}

    def _write(self, path: Path) -> None:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise OSError(errno.EINVAL, "it is no regular file: put one there")
        ours = {name: {"stamp": stamp, **asdict(m)} for name, (stamp, m) in self._known.items()}
        content = json.dumps({**self._read(), self._where: ours}, indent=1)
        with replacing(path) as beside:
            beside.write_text(content)


def _parse(entry: Mapping[str, Any]) -> Measured:
    return Measured(
        weights_bytes=entry["weights_bytes"],
        load_s=entry["load_s"],
        execution_s=_by_size(entry["execution_s"]),
        points=tuple(_point(point) for point in entry.get("points", ())),
    )


def _point(entry: Mapping[str, Any]) -> Point:
    return Point(entry["name"], entry["accuracy"], _by_size(entry["execution_s"]))


def _by_size(spent: Mapping[str, float]) -> dict[int, float]:
    return {int(size): seconds for size, seconds in spent.items()}


def machine(threads: int, root: Path = Path("/")) -> str:
    """What seconds depend on: the processor, and how many of its threads compute."""
    try:
        text = (root / "proc/cpuinfo").read_text()
    except OSError:
        text = ""
    models = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return f"{models[0] if models else 'unknown processor'}, {threads} threads"


def _sound(item: tuple[str, Any]) -> bool:
    match item[1]:
        case {
            "stamp": str(),
            "weights_bytes": int(weights_bytes),
            "load_s": float(load_s),
            "execution_s": dict(spent),
            **others,
        }:
            sound = weights_bytes >= 0 and _is_time(load_s) and _spent(spent)
            return sound and _sound_points(others.get("points", []))
    return False


def _sound_points(points: Any) -> bool:
    sound = isinstance(points, list) and all(map(_sound_point, points))
    return sound and len({point["name"] for point in points}) == len(points)


def _sound_point(point: Any) -> bool:
    match point:
        case {"name": str(), "accuracy": float() | int() as accuracy, "execution_s": dict(spent)}:
            return 0 <= accuracy <= 1 and _spent(spent)
    return False


def _spent(spent: Mapping[str, Any]) -> bool:
    """By batch size, of which one alone is among them."""
    return "1" in spent and all(
        _SIZE.fullmatch(size) and _is_time(seconds) for size, seconds in spent.items()
    )


def _is_time(seconds: Any) -> bool:
    return isinstance(seconds, float) and 0 < seconds < 1e6
