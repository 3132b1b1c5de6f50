"""A Prometheus process on this machine, which scrapes the pods annotated for it."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml

from tests.e2e.host import free_port, own_address
from tests.e2e.kube import wait_for

_ANNOTATION = "__meta_kubernetes_pod_annotation_prometheus_io_"


def configuration(kubeconfig: str, namespaces: list[str], rules: Path) -> dict[str, Any]:
    """Return a configuration that scrapes each pod with the usual annotations every second."""
    discovery = {
        "role": "pod",
        "kubeconfig_file": kubeconfig,
        "namespaces": {"names": namespaces},
    }
    relabelling = [
        {"source_labels": [_ANNOTATION + "scrape"], "action": "keep", "regex": "true"},
        {"source_labels": ["__meta_kubernetes_pod_phase"], "action": "keep", "regex": "Running"},
        {
            "source_labels": [_ANNOTATION + "path"],
            "regex": "(.+)",
            "target_label": "__metrics_path__",
        },
        {
            "source_labels": ["__meta_kubernetes_pod_ip", _ANNOTATION + "port"],
            "separator": ":",
            "target_label": "__address__",
        },
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
    ]
    job = {
        "job_name": "pods",
        "honor_labels": True,  # the operator's metrics name the InferenceService
        "kubernetes_sd_configs": [discovery],
        "relabel_configs": [
            *relabelling,
            # A pod with several ports is discovered once per port.
            {
                "source_labels": ["__meta_kubernetes_pod_container_init"],
                "regex": "true",
                "action": "drop",
            },
        ],
    }
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "5s"},
        "rule_files": [str(rules)],
        "scrape_configs": [job],
    }


@dataclass(slots=True)
class Prometheus:
    """The process. It keeps its data and its port when it is killed and started again."""

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def prepared(cls, folder: Path, namespaces: list[str], rules: Path) -> "Prometheus":
        kubeconfig = os.environ["KUBECONFIG"]
        config = configuration(kubeconfig, namespaces, rules)
        config["rule_files"] += [str(folder / "rules-*.yaml")]
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        return cls(folder, free_port())

    @property
    def url(self) -> str:
        return f"http://{own_address()}:{self.port}"

    def start(self) -> None:
        command = ["prometheus", f"--config.file={self.folder / 'prometheus.yaml'}"]
        command += [f"--storage.tsdb.path={self.folder / 'data'}"]
        command += [f"--web.listen-address=0.0.0.0:{self.port}", "--log.level=warn"]
        with (self.folder / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for("Prometheus is ready", self._is_ready)

    def kill(self) -> None:
        """Kill it without a shutdown, as if its machine had failed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def add_rules(self, name: str, text: str) -> None:
        """Add alert rules to the chart's until they are removed."""
        (self.folder / f"rules-{name}.yaml").write_text(text)
        self._reload()

    def remove_rules(self, name: str) -> None:
        (self.folder / f"rules-{name}.yaml").unlink()
        self._reload()

    def _reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def query(self, expression: str) -> list[Any]:
        """Return the instant vector of the expression, now."""
        answer = urllib3.request(
            "GET", f"{self.url}/api/v1/query", fields={"query": expression}, timeout=10
        )
        said = answer.json()
        assert said["status"] == "success", said
        result: list[Any] = said["data"]["result"]
        return result

    def value(self, expression: str) -> float | None:
        result = self.query(expression)
        return float(result[0]["value"][1]) if result else None

    def rules(self) -> list[Any]:
        """Return the rules that it evaluates."""
        answer = urllib3.request("GET", f"{self.url}/api/v1/rules", timeout=10)
        return [rule for group in answer.json()["data"]["groups"] for rule in group["rules"]]

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "prometheus.log").read_text()
        time.sleep(0.1)
        return urllib3.request("GET", f"{self.url}/-/ready", retries=False).status == 200
