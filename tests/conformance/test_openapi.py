"""The OpenAPI document says what the server does: schemathesis asks all it allows, and more."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from tests.conformance.target import Target

OF_OURS = ("-m", "infadapter_server", "--port", "0", "--host", "127.0.0.1", "--drain-seconds", "0")
EXAMPLES = "10"  # of each operation, beside those that the document lists and its limits
CONFIG = Path(__file__).with_name("schemathesis.toml")

pytestmark = [pytest.mark.schemathesis, pytest.mark.process]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own: what is asked loads and unloads its model."""
    for name in ("schemathesis", "onnx", "onnxruntime", "infadapter_server"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    from torch import nn

    from tests.model_variants.onnx_files import linear

    folder = tmp_path_factory.mktemp("repository")
    linear(folder / "tiny" / "1" / "model.onnx", nn.Linear(4, 3))
    with subprocess.Popen(
        [sys.executable, *OF_OURS, "--repository", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().removeprefix("listening on ").strip()
            Target(url=url, model="tiny", grpc=None).wait_ready(60)
            yield url
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


@pytest.mark.timeout(300)
def test_schemathesis_finds_nothing(own: str) -> None:
    command = ["--config-file", str(CONFIG), "run", f"{own}/openapi.json", "--no-color"]
    phases = ["--phases", "examples,coverage,fuzzing", "--continue-on-failure"]
    drawn = ["--max-examples", EXAMPLES, "--seed", "1", "--warnings", "off"]
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", *command, *phases, *drawn],
        capture_output=True,
        text=True,
        check=False,
        cwd=CONFIG.parent,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout


def test_every_example_of_a_request_is_answered(own: str) -> None:
    with httpx.Client(base_url=own) as client:
        document = client.get("/openapi.json").json()
        infer = document["paths"]["/v2/models/{model}/infer"]["post"]
        examples = infer["requestBody"]["content"]["application/json"]["examples"]
        assert len(examples) >= 4
        for example in examples.values():
            answer = client.post("/v2/models/tiny/infer", json=example["value"])
            assert answer.status_code == 200, answer.text
