"""gRPC as NVIDIA's own client speaks it, in a process that holds its messages and not ours."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conformance.target import Target


@pytest.mark.process
def test_nvidias_client_over_grpc(target: Target) -> None:
    if find_spec("tritonclient") is None or find_spec("grpc") is None:
        pytest.skip("tritonclient[grpc] is not installed")
    if target.grpc is None:
        pytest.skip("no gRPC server is named")
    where = ("--oip-url", target.url, "--oip-grpc", target.grpc, "--oip-model", target.model)
    cases = str(Path(__file__).with_name("triton_grpc_cases.py"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cases, *where]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
