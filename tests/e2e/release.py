"""The chart's Helm release. A test module may change its values, which restarts the operator."""

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.figures import keep_log
from tests.e2e.host import ROOT
from tests.e2e.kube import Kube, Refused, run

Json = dict[str, Any]

CHART = str(ROOT / "helm/infadapter")
OPERATOR = "app.kubernetes.io/component=operator"
ENDS = ("--wait", "--timeout", "120s")


PATIENCE = {"startSeconds": 5, "readySeconds": 60, "retryFirstSeconds": 5, "retryMostSeconds": 20}
WINDOW_S = 60  # of the error budget: the shortest that the operator accepts


@dataclass(slots=True)
class Release:
    """The release, in a namespace of its own."""

    name: str
    values: Json
    folder: Path
    system: Kube = field(init=False)
    _others: Json = field(default_factory=dict)  # values in force besides the usual ones
    _logs: int = 0

    def __post_init__(self) -> None:
        self.system = Kube(f"{self.name}-system")

    def install(self) -> None:
        self._helm("install", CHART, "--create-namespace", *self._given())

    def set(self, **others: Any) -> None:
        """Upgrade to the usual values and `others`, unless these are in force already."""
        if others != self._others:
            self._keep_log()
            self._others = others
            self._helm("upgrade", CHART, *self._given())

    def hurry(self) -> None:
        """Upgrade to patience of seconds and an error budget of a minute, to keep tests short."""
        window = {"name": "INFADAPTER_ERROR_BUDGET_WINDOW_SECONDS", "value": f"{WINDOW_S}"}
        self.set(patience=PATIENCE, extraEnv=[*self.values["extraEnv"], window])

    def uninstall(self) -> None:
        self._keep_log()
        with contextlib.suppress(AssertionError):
            run("helm", "uninstall", self.name, "--namespace", self.system.namespace, "--wait")
        with contextlib.suppress(Refused):
            self.system.request("DELETE", f"/api/v1/namespaces/{self.system.namespace}")
        self.system.close()

    def _helm(self, verb: str, *words: str) -> None:
        run("helm", verb, self.name, "--namespace", self.system.namespace, *words, *ENDS)

    def _given(self) -> tuple[str, ...]:
        file = self.folder / "values.json"
        file.write_text(json.dumps(self.values | self._others))
        return "--values", str(file)

    def _keep_log(self) -> None:
        what = ("-n", self.system.namespace, f"--selector={OPERATOR}", "--tail=-1")
        with contextlib.suppress(AssertionError):
            keep_log(f"operator-{self._logs}", run("kubectl", "logs", *what))
        self._logs += 1
