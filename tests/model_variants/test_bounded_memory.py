"""What the models of a server take, by the process's own resident memory."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.model_variants.programs import Tiny, save_script
from tests.model_variants.test_server_process import Server, started
from tests.patience import PATIENCE_S

MIB = 2**20
MODELS, MODEL_MIB, ROOM = 12, 8, 4
OVERHEAD_MIB = 24
"""
Beyond the weights: what is computed, and what malloc keeps of a thread's last free memory, which is
up to twice the largest tensor.
"""

LAST = "last"
CONFIG = """
input: {name: x, shape: [4]}
output: {name: y, shape: [3]}
batch_sizes: [1]
profile: {load_seconds: 0.05, execution_seconds: {1: 0.002}}
"""


def resident_mib(server: Server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def post(server: Server, path: str, content: object) -> int:
    url = f"http://{server.address.netloc}{path}"
    request = urllib.request.Request(url, json.dumps(content).encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            answer.read()
            status: int = answer.status
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from error
    return status


def ask(server: Server, name: str) -> None:
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1.0] * 4}
    assert post(server, f"/v2/models/{name}/infer", {"inputs": [tensor]}) == 200


def settle(server: Server) -> None:
    """When the last order is done, so are those before: unloading is nothing that is waited for."""
    ask(server, LAST)
    assert post(server, f"/v2/repository/models/{LAST}/unload", {}) == 200


@pytest.mark.process
def test_models_take_no_more_than_their_bound_and_give_it_back(tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(MODELS)]
    for name in names:
        save_script(Tiny(ballast=MODEL_MIB * MIB // 4), tmp_path / name / "1" / "model.pt")
    save_script(Tiny(), tmp_path / LAST / "1" / "model.pt")
    for name in (*names, LAST):
        (tmp_path / name / "config.yaml").write_text(CONFIG)
    # Each takes a page more than its weights, for the program.
    memory = f"{ROOM * (MODEL_MIB + 1)}Mi"
    arguments = ["--repository", str(tmp_path), "--memory", memory, "--port", "0"]
    with started("-m", "infadapter_server", *arguments, "--drain-seconds", "0") as server:
        for name in names:  # everything has been used once
            ask(server, name)
            assert post(server, f"/v2/repository/models/{name}/unload", {}) == 200
        settle(server)
        empty_mib, most_mib = resident_mib(server), 0.0
        for name in names * 3:
            ask(server, name)
            most_mib = max(most_mib, resident_mib(server))
        for name in names:
            assert post(server, f"/v2/repository/models/{name}/unload", {}) == 200
        settle(server)
        unloaded_mib = resident_mib(server)
    assert most_mib - empty_mib >= (ROOM - 1) * MODEL_MIB, "nothing was measured"
    assert most_mib - empty_mib <= ROOM * MODEL_MIB + OVERHEAD_MIB < MODELS * MODEL_MIB
    assert unloaded_mib - empty_mib <= 2 * MODEL_MIB
