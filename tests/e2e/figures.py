"""The figures that a run measures, for the terminal and e2e-results.json at its end."""

import json
import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Figures:
    started_s: float = field(default_factory=time.monotonic)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def note(self, name: str, value: object, wanted: str = "") -> None:
        """Add a figure. `wanted`: the bound that the tests assert, if any."""
        shown = round(value, 5) if isinstance(value, float) else value
        self.rows.append({"figure": name, "value": shown, "wanted": wanted})

    def write(self, path: Path) -> None:
        content = {
            "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
            "wall_s": round(time.monotonic() - self.started_s, 1),
            "figures": self.rows,
        }
        path.write_text(json.dumps(content, indent=1, default=str) + "\n")

    def lines(self) -> list[str]:
        wall_s = time.monotonic() - self.started_s
        rows = [*self.rows, {"figure": "wall time, s", "value": round(wall_s), "wanted": ""}]
        return [f"{r['figure']}: {r['value']}" + _bound(r["wanted"]) for r in rows]


def keep_log(name: str, content: object) -> None:
    """Write a log to the folder that INFADAPTER_E2E_LOGS names, if any, to explain failures."""
    folder = os.environ.get("INFADAPTER_E2E_LOGS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, indent=1)
        (Path(folder) / f"{name}.log").write_text(text)


def _bound(wanted: str) -> str:
    return f"  (wanted: {wanted})" if wanted else ""
