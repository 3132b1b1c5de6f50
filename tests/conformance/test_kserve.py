"""KServe's own client, where there is a virtual environment for it.

    python -m venv .venv-kserve && .venv-kserve/bin/pip install kserve==0.21.0

It can't be in ours: kserve pins other versions of what the server stands on.
INFADAPTER_KSERVE_PYTHON names the interpreter of another place.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conformance.target import Target

PYTHON = Path(os.environ.get("INFADAPTER_KSERVE_PYTHON", ".venv-kserve/bin/python"))


@pytest.mark.timeout(300)  # it imports for seconds
def test_kserves_client_over_rest_and_grpc(target: Target) -> None:
    if not PYTHON.exists():
        pytest.skip(f"kserve has no virtual environment: {__doc__.splitlines()[2].strip()}")
    cases = str(Path(__file__).with_name("kserve_cases.py"))
    names = (target.model, target.input["name"], json.dumps(target.shape()), target.output_name)
    binary = ["binary"] if "binary_tensor_data" in target.extensions else []
    command = [str(PYTHON), cases, target.url, target.grpc or "", *names, *binary]
    # Its environment is its own: ours has modules of the same names.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": ok") == 2 + len(binary) + bool(target.grpc)
