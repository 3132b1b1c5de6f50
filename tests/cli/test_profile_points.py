"""`infadapter profile` of a server with operating points: a row for each of them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from infadapter.commands import profile as command
from infadapter.commands.profile import profile
from infadapter_profiles.document import read_document
from infadapter_server.loadgen.endpoint import Endpoint, parse_url
from infadapter_server.profiling import disturbance, run, steps
from infadapter_server.profiling.allowed import Allowed, one_request_s
from infadapter_server.profiling.bench import ServerBench
from infadapter_server.profiling.steps import Seen, Step
from infadapter_server.profiling.target import exchange
from infadapter_workload.outcomes import Outcome
from tests.cli.virtual_load import VirtualLoad
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "tests" / "model_variants" / "points_server.py"
POINTS = "/v2/repository/models/times/points"


@contextmanager
def serving(points: int) -> Iterator[Endpoint]:
    command = [sys.executable, str(SERVER), str(points)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        endpoint = parse_url(f"http://127.0.0.1:{port}/v2/models/times/infer")
        until_s = time.monotonic() + PATIENCE_S
        while exchange(endpoint, "GET", "/v2/health/ready", None)[0] != 200:
            assert time.monotonic() < until_s
            time.sleep(0.01)
        yield endpoint
        server.terminate()


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    with serving(3) as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(server: Endpoint) -> Iterator[Endpoint]:
    yield server
    exchange(server, "POST", POINTS, b"{}")


def of_the_point(endpoint: Endpoint) -> float:
    """That the server is held to."""
    (point,) = allowed(endpoint)["allowed"]
    return int(point[1:]) / 1000


@pytest.fixture
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "HttpLoad", partial(VirtualLoad, takes_s=of_the_point))
    monkeypatch.setattr(run, "ask_arrivals", lambda _: None)


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else runs on the machine of these tests is not theirs."""
    monkeypatch.setattr(disturbance, "machine_times", lambda: None)
    monkeypatch.setattr(steps, "LATE_SHARE", 100)
    monkeypatch.setattr(command, "make_timely", lambda: None)


def invoke(endpoint: Endpoint, file: Path, *arguments: str, cpu: str = "1") -> Result:
    given = ["--name", "times", "--cpu", cpu, "-o", str(file), "--load-seconds", "1", *arguments]
    url = f"http://{endpoint.host}:{endpoint.port}{endpoint.path}"
    result = CliRunner().invoke(profile, [url, *given])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result


def allowed(endpoint: Endpoint) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(exchange(endpoint, "GET", POINTS, None)[1])
    return {"allowed": answer["allowed"], "floor": answer["floor"]}


def spec(file: Path) -> dict[str, Any]:
    (document,) = yaml.safe_load_all(file.read_text())
    read_document(document)
    found: dict[str, Any] = document["spec"]
    return found


@pytest.mark.process
def test_a_real_server_is_measured_at_each_point_alone(endpoint: Endpoint, tmp_path: Path) -> None:
    file = tmp_path / "profile.yaml"
    for seconds in ("2", "20"):  # a busy machine sees less in its time, which is said
        result = invoke(endpoint, file, "--seconds", seconds, "--points", "p1,p3")
        if result.exit_code == 0:
            break
    assert result.exit_code == 0, result.output
    rates = {r["operatingPoint"]: float(r["saturationRps"]) for r in spec(file)["allocations"]}
    assert rates["p1"] < 1000, "a millisecond each"
    assert rates["p3"] < 1000 / 3
    assert allowed(endpoint) == {"allowed": ["p1", "p2", "p3"], "floor": 0.0}


@pytest.mark.usefixtures("virtual_time")
def test_each_point_is_a_row_of_its_own(endpoint: Endpoint, tmp_path: Path) -> None:
    before = {"allowed": ["p2", "p3"], "floor": 0.52}
    exchange(endpoint, "POST", POINTS, json.dumps(before).encode())
    file, plot = tmp_path / "profile.yaml", tmp_path / "plot.svg"
    arguments = ["--seconds", "30", "--slo-ms", "50", "--points", "p1, p3", "--plot", str(plot)]
    result = invoke(endpoint, file, *arguments)
    assert result.exit_code == 0, result.output
    assert "Measured are 2 of 3, 30 s each: p1 (0.51), p3 (0.53)." in result.output
    assert "1 of 2, p1: saturation" in result.output
    assert "p3: saturation" in result.output
    written = spec(file)
    assert written["operatingPoints"] == [
        {"name": "p3", "accuracy": "0.53"},
        {"name": "p1", "accuracy": "0.51"},
    ]
    assert written["accuracy"] == "0.53"
    by_name = {row["operatingPoint"]: row for row in written["allocations"]}
    assert [float(by_name[name]["saturationRps"]) for name in ("p1", "p3")] == [
        pytest.approx(1000, rel=0.01),
        pytest.approx(333, rel=0.01),
    ]
    quick, slow = (float(by_name[name]["capacity"][0]["rps"]) for name in ("p1", "p3"))
    assert 900 < quick < 1000
    assert 250 < slow < 333
    assert "p3, p99" in plot.read_text()
    assert allowed(endpoint) == before, "as it was"


@pytest.mark.usefixtures("virtual_time")
def test_another_size_has_the_points_that_the_profile_has(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    file = tmp_path / "profile.yaml"
    assert invoke(endpoint, file, "--seconds", "1", "--points", "p1,p2").exit_code == 0
    other = invoke(endpoint, file, "--seconds", "1", cpu="2")
    assert other.exit_code == 0, other.output
    found = [(r["resources"]["cpu"], r["operatingPoint"]) for r in spec(file)["allocations"]]
    assert sorted(found) == [("1", "p1"), ("1", "p2"), ("2", "p1"), ("2", "p2")]
    again = invoke(endpoint, file, "--seconds", "1", "--points", "p2", cpu="2")
    assert again.exit_code == 0, again.output
    assert len(spec(file)["allocations"]) == 4


@pytest.mark.usefixtures("virtual_time")
def test_an_interrupt_sets_the_points_back_and_the_same_command_goes_on(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "profile.yaml"
    arguments = ["--seconds", "20", "--slo-ms", "50", "--points", "p1,p2"]
    held: list[tuple[float, list[str]]] = []
    take = ServerBench.take

    async def interrupted(bench: ServerBench, step: Step) -> Seen:
        at = allowed(endpoint)["allowed"]
        if len(held) > 2 and at == ["p2"]:
            raise KeyboardInterrupt
        held.append((step.rate_rps, at))
        return await take(bench, step)

    monkeypatch.setattr(ServerBench, "take", interrupted)
    first = invoke(endpoint, file, *arguments)
    assert (first.exit_code, file.exists()) == (130, False), first.output
    assert allowed(endpoint) == {"allowed": ["p1", "p2", "p3"], "floor": 0.0}
    assert {tuple(points) for _, points in held} == {("p1",)}

    async def counted(bench: ServerBench, step: Step) -> Seen:
        held.append((step.rate_rps, allowed(endpoint)["allowed"]))
        return await take(bench, step)

    monkeypatch.setattr(ServerBench, "take", counted)
    before = len(held)
    assert before > 2
    second = invoke(endpoint, file, *arguments)
    assert second.exit_code == 0, second.output
    assert "went on with" in second.output
    assert {tuple(points) for _, points in held[before:]} == {("p2",)}, "p1 was there"
    assert [len(row["capacity"]) for row in spec(file)["allocations"]] == [1, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["profile.yaml"]


@pytest.fixture
def hangups() -> Iterator[None]:
    """Who runs the tests under nohup ignores SIGHUP, and so would what they start."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangups")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_would_end_the_process_sets_the_points_back_first(
    endpoint: Endpoint, tmp_path: Path, number: signal.Signals
) -> None:
    url = f"http://{endpoint.host}:{endpoint.port}{endpoint.path}"
    given = ["--name", "times", "--cpu", "1", "--load-seconds", "1", "-o", str(tmp_path / "p.yaml")]
    command = [sys.executable, "-m", "infadapter", "profile", url, *given]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as measuring:
        until_s = time.monotonic() + PATIENCE_S
        while len(allowed(endpoint)["allowed"]) > 1:
            assert time.monotonic() < until_s
            time.sleep(0.01)
        measuring.send_signal(number)
        _, said = measuring.communicate(timeout=PATIENCE_S)
    assert measuring.returncode == 130, said
    assert said.strip().endswith("Interrupted before all was written. The same command goes on.")
    assert allowed(endpoint) == {"allowed": ["p1", "p2", "p3"], "floor": 0.0}


@pytest.mark.usefixtures("virtual_time")
def test_of_many_points_those_are_measured_that_are_far_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "profile.yaml"
    asked: list[str] = []

    async def steady(at: Allowed, point: str, body: bytes) -> float:
        asked.append(point)
        assert await one_request_s(at, point, body) >= int(point[1:]) / 1000
        return int(point[1:]) / 1000

    monkeypatch.setattr("infadapter_server.profiling.rows.one_request_s", steady)
    with serving(12) as endpoint:
        result = invoke(endpoint, file, "--seconds", "5")
    assert result.exit_code == 0, result.output
    assert asked == [f"p{n}" for n in range(1, 13)]
    assert "Measured are 8 of 12, 5 s each" in result.output
    names = [point["name"] for point in spec(file)["operatingPoints"]]
    assert len(names) == 8
    assert {"p1", "p12"} <= set(names)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--points", "p1,p9"], "--points names the operating point p9, and the server has p1, p2"),
        (["--points", "p1,,p2"], "must be all, or names with commas between them."),
        (["--accuracy", "0.9"], "each with an accuracy of its own: leave --accuracy out"),
    ],
)
def test_what_the_server_can_not_be_asked_for_is_refused(
    endpoint: Endpoint, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    result = invoke(endpoint, tmp_path / "x.yaml", *arguments)
    assert result.exit_code == 2
    assert sentence in result.output.replace("\n", " ")
    assert allowed(endpoint)["allowed"] == ["p1", "p2", "p3"]


def test_where_the_points_can_not_be_set_back_the_command_that_does_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def held() -> Endpoint:
        async with AsyncExitStack() as stack:
            with serving(2) as endpoint:
                before = {"allowed": ["p2"], "floor": 0.5}
                await stack.enter_async_context(Allowed(endpoint, POINTS, (), before).only("p1"))
        return endpoint

    endpoint = asyncio.run(held())
    url = f"http://127.0.0.1:{endpoint.port}{POINTS}"
    said = capsys.readouterr().err.strip()
    assert said.startswith("No server answers at")
    assert said.endswith(f"""curl -X POST {url} -d '{{"allowed":["p2"],"floor":0.5}}'""")


def document(**more: Any) -> str:
    row = {"resources": {"cpu": "1"}, "saturationRps": "9", **more.pop("row", {})}
    content = {"accuracy": "0.51", "loadSeconds": "1", "allocations": [row], **more}
    return json.dumps(
        {
            "apiVersion": "infadapter.io/v1alpha1",
            "kind": "VariantProfile",
            "metadata": {"name": "times"},
            "spec": content,
        }
    )


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (document(), "of a server without operating points, and this one has p1, p2, p3"),
        (
            document(
                operatingPoints=[{"name": "old", "accuracy": "0.51"}], row={"operatingPoint": "old"}
            ),
            "The profile times is of the operating point old, and the server has p1, p2, p3",
        ),
    ],
)
def test_a_profile_of_other_points_is_not_added_to(
    endpoint: Endpoint, tmp_path: Path, written: str, sentence: str
) -> None:
    file = tmp_path / "profile.yaml"
    file.write_text(written)
    result = invoke(endpoint, file, "--seconds", "1", cpu="2")
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert file.read_text() == written


@pytest.mark.usefixtures("virtual_time")
def test_what_a_killed_run_left_allowed_is_not_taken_for_what_was_before(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, arguments = tmp_path / "profile.yaml", ["--seconds", "5", "--slo-ms", "50"]
    before = {"allowed": ["p1", "p2"], "floor": 0.5}
    exchange(endpoint, "POST", POINTS, json.dumps(before).encode())

    async def interrupted(*_: object) -> Seen:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(ServerBench, "take", interrupted)
        killed.setattr(Allowed, "_set_back", lambda _: None)
        invoke(endpoint, file, *arguments)
    assert allowed(endpoint)["allowed"] == ["p1"]
    again = invoke(endpoint, file, *arguments)
    assert again.exit_code == 0, again.output
    assert "went on with" in again.output
    assert allowed(endpoint) == before


@pytest.mark.process
@pytest.mark.usefixtures("virtual_time")
def test_a_size_that_was_done_is_not_measured_again_when_the_next_one_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the profile has its points by then, in an order of its own."""
    file = tmp_path / "profile.yaml"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = parse_url(f"http://127.0.0.1:{port}/v2/models/times/infer")
    start = f"sh -c ': {{millicores}}; exec {sys.executable} {SERVER} 3 {port}'"
    arguments = ["--cpu", "2", "--seconds", "5", "--start", start]
    floods: list[str] = []
    stop_at, whole = 3 + 2, VirtualLoad.flood

    async def flood(load: VirtualLoad, seconds: float) -> Sequence[Outcome]:
        (point,) = allowed(endpoint)["allowed"]
        floods.append(point)
        if len(floods) == stop_at:
            raise KeyboardInterrupt
        return await whole(load, seconds)

    monkeypatch.setattr(VirtualLoad, "flood", flood)
    first = invoke(endpoint, file, *arguments)
    assert first.exit_code == 130, first.output
    assert len(spec(file)["allocations"]) == 3
    second = invoke(endpoint, file, *arguments)
    assert second.exit_code == 0, second.output
    assert len(spec(file)["allocations"]) == 6
    assert len(floods) == 6 + 1, "the one that was interrupted, again"
    assert [path.name for path in tmp_path.iterdir()] == ["profile.yaml"]
