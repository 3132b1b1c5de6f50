"""REST as people try it: curl, with the commands that the documentation gives."""

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.target import Target

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def curl(*arguments: str) -> tuple[int, str]:
    """The status of the last answer, and its body."""
    command = ["curl", "--silent", "--show-error", "--max-time", "20", "-w", "\n%{http_code}"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


@pytest.fixture
def question(target: Target, tmp_path: Path) -> Path:
    path = tmp_path / "question.json"
    path.write_text(json.dumps(target.question()))
    return path


JSON = ("-H", "Content-Type: application/json")


def outputs(answer: tuple[int, str]) -> int:
    status, body = answer
    assert status == 200, body
    return len(json.loads(body)["outputs"])


def test_health(target: Target) -> None:
    assert curl(f"{target.url}/v2/health/ready")[0] == 200


def test_a_question_from_a_file(target: Target, question: Path) -> None:
    answer = curl(f"{target.url}{target.path}/infer", *JSON, "-d", f"@{question}")
    assert outputs(answer) == 1


def test_a_question_without_the_type_that_curl_does_not_set(target: Target, question: Path) -> None:
    answer = curl(f"{target.url}{target.path}/infer", "-d", f"@{question}")
    assert outputs(answer) == 1


def test_an_offer_of_http2(target: Target, question: Path) -> None:
    answer = curl("--http2", f"{target.url}{target.path}/infer", *JSON, "-d", f"@{question}")
    assert outputs(answer) == 1


def test_a_packed_question(target: Target, question: Path) -> None:
    packed = question.with_suffix(".gz")
    packed.write_bytes(gzip.compress(question.read_bytes()))
    how = ("-H", "Content-Encoding: gzip", *JSON, "--data-binary", f"@{packed}")
    assert outputs(curl(f"{target.url}{target.path}/infer", *how)) == 1


def test_a_chunked_upload(target: Target, question: Path) -> None:
    how = ("-X", "POST", "-H", "Transfer-Encoding: chunked", *JSON, "-T", str(question))
    assert outputs(curl(f"{target.url}{target.path}/infer", *how)) == 1
