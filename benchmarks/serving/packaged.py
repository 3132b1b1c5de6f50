"""
MLServer, in a virtual environment of its own: its pins (FastAPI below 0.116) would undo ours.

The network comes from this checkout and torch from this environment, behind its own packages. So
both servers run the same code of the same network; what differs is the server around it.
"""

import json
import subprocess
import sysconfig
import venv
from pathlib import Path

import click

from benchmarks.serving.networks import Network
from infadapter_local.router import free_ports

MLSERVERS = ("MLServer", "MLServer, batching")
PACKAGES = Path(__file__).with_name("mlserver.txt")
HOME = Path.home() / ".cache" / "infadapter" / "mlserver"
RUNTIME = "benchmarks.serving.mlserver_runtime.Served"
LARGEST_BATCH, LONGEST_WAIT_S = 8, 0.005  # as the other rival with batching has them
_ROOT = Path(__file__).parents[2]
_INSTALLED = "installed.txt"


def install(home: Path = HOME) -> None:
    """Minutes the first time. Raises ClickException."""
    stamp, wanted = home / _INSTALLED, PACKAGES.read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    click.echo(f"Installing MLServer into {home} …", err=True)
    venv.create(home, with_pip=True, clear=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(PACKAGES)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        said = next(iter(reversed(done.stderr.strip().splitlines())), "pip said nothing")
        raise click.ClickException(
            f"MLServer can't be installed ({said}): let pip reach a package index, or compare "
            "without it (python -m benchmarks.serving)."
        )
    _let_it_see_ours(home)
    stamp.write_text(wanted)


def _let_it_see_ours(home: Path) -> None:
    """At the end of its path, where its own packages come first."""
    own = sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)})
    ours = sysconfig.get_path("purelib")
    lines = f"{_ROOT}\nimport site; site.addsitedir({ours!r})\n"
    (Path(own) / "infadapter.pth").write_text(lines)


def mlserver(network: Network, port: int, folder: Path, *, batching: bool) -> list[str]:
    """The command that starts it, with its settings in this folder; `install` first."""
    grpc, metrics = free_ports(2)
    server = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": grpc,
        "metrics_port": metrics,
        "parallel_workers": 0,  # in its own process: a worker beside it would share the core
        "debug": False,  # which logs each request
    }
    repository = str(network.repository) if network.repository else None
    model: dict[str, object] = {
        "name": network.name,
        "implementation": RUNTIME,
        "parameters": {"extra": {"network": network.name, "repository": repository}},
    }
    if batching:
        model |= {"max_batch_size": LARGEST_BATCH, "max_batch_time": LONGEST_WAIT_S}
    (folder / "settings.json").write_text(json.dumps(server))
    (folder / "model-settings.json").write_text(json.dumps(model))
    return [str(HOME / "bin" / "mlserver"), "start", str(folder)]
