import errno
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from infadapter.commands import profile as command
from infadapter.commands.profile import profile
from infadapter.profile_here import DISTURBED
from infadapter_operator.api.profiles import VariantProfileSpec
from infadapter_server.loadgen.endpoint import parse_url
from infadapter_server.profiling import disturbance, run, shown, steps
from infadapter_server.profiling.bench import ServerBench
from infadapter_server.profiling.journal import Json
from infadapter_server.profiling.order import Order
from infadapter_server.profiling.steps import Seen, Step
from infadapter_server.profiling.target import ask_arrivals
from tests.cli.virtual_load import VirtualLoad
from tests.patience import PATIENCE_S

SERVER = Path(__file__).parents[1] / "model_variants" / "answering_server.py"
REQUIRED = ["--name", "glyph-1", "--cpu", "1"]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    arguments = [sys.executable, str(SERVER), "--service-ms", "1"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.terminate()


@pytest.fixture
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is asked, and what it takes for an answer is a millisecond."""
    monkeypatch.setattr(run, "HttpLoad", partial(VirtualLoad, takes_s=lambda _: 0.001))
    monkeypatch.setattr(run, "ask_arrivals", lambda _: None)


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else runs on the machine of these tests is not theirs."""
    monkeypatch.setattr(disturbance, "machine_times", lambda: None)
    monkeypatch.setattr(steps, "LATE_SHARE", 100)


@pytest.fixture(autouse=True)
def ordinary_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs in the tests' own process here, which must not become a real-time one."""
    monkeypatch.setattr(command, "make_timely", lambda: None)


def url(port: int, word: str = "infer", model: str = "glyphs") -> str:
    return f"http://127.0.0.1:{port}/v2/models/{model}/{word}"


def invoke(*arguments: str) -> Result:
    result = CliRunner().invoke(profile, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result


@pytest.mark.usefixtures("virtual_time")
def test_two_allocations_end_up_in_one_document_that_the_api_takes(
    port: int, tmp_path: Path
) -> None:
    file = tmp_path / "profiles.yaml"
    for cpu in ("0.5", "1", "500m"):
        arguments = ("--name", "glyph-1", "--cpu", cpu, "--seconds", "1", "-o", str(file))
        result = invoke(url(port), *arguments)
        assert result.exit_code == 0, result.output
        assert "saturation" in result.output
        assert not list(tmp_path.glob(".*"))
    (document,) = yaml.safe_load_all(file.read_text())
    spec = VariantProfileSpec.model_validate_json(json.dumps(document["spec"]))
    assert [allocation.resources["cpu"] for allocation in spec.allocations] == ["1", "500m"]
    assert (spec.accuracy, spec.load_seconds) == (0.861, 1.25)
    assert document["status"]["server"] == "tiny 1"


@pytest.mark.usefixtures("virtual_time")
def test_a_server_is_started_and_stopped(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = tmp_path / "profiles.yaml"
    start = f"{sys.executable} {SERVER} --service-ms 1 --port {port}"
    arguments = (*REQUIRED, "--seconds", "3", "-o", str(file), "--start", start)
    result = invoke(url(port), *arguments)
    assert result.exit_code == 0, result.output
    (document,) = yaml.safe_load_all(file.read_text())
    assert 0 < float(document["spec"]["loadSeconds"]) < 30
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


@pytest.mark.usefixtures("virtual_time")
def test_the_capacity_at_an_slo_is_written_with_its_interval(port: int, tmp_path: Path) -> None:
    file, plot = tmp_path / "profiles.yaml", tmp_path / "profile.svg"
    arguments = [*REQUIRED, "--slo-ms", "100", "--percentile", "90", "--plot", str(plot)]
    result = invoke(url(port), *arguments, "--seconds", "16", "-o", str(file))
    assert result.exit_code == 0, result.output
    assert "the next run lies within" in result.output
    (document,) = yaml.safe_load_all(file.read_text())
    spec = VariantProfileSpec.model_validate_json(json.dumps(document["spec"]))
    (capacity,) = spec.allocations[0].capacity or ()
    assert (capacity.latency_milliseconds, capacity.percentile) == (100, 90)
    assert capacity.missed_ratio == 0.1
    assert 900 < capacity.rps < 1000, "a millisecond each"
    assert 0 < (capacity.low_rps or 0) < capacity.rps < (capacity.high_rps or 0)
    assert spec.allocations[0].memory_mebibytes
    assert "<svg" in plot.read_text()


@pytest.mark.process
def test_a_profile_beside_somebody_elses_load_is_refused(port: int, tmp_path: Path) -> None:
    """Which was written once: a saturation of 20, 70 % refused, and status 0."""
    file = tmp_path / "profiles.yaml"
    arguments = [*REQUIRED, "--seconds", "2", "--slo-ms", "100", "-o", str(file)]
    load = [sys.executable, "-m", "infadapter_server.loadgen", "--url", url(port)]
    load += ["--rps", "100", "--duration", "600", "--shape", "1,4"]
    with subprocess.Popen(load, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as other:
        try:
            wait_until_others_arrive(port)
            refused = invoke(url(port), *arguments)
            assert refused.exit_code == DISTURBED
            assert "Nothing was written: somebody else sent the server" in refused.output
            assert not file.exists()
            for seconds in ("5", "20", "60"):  # a busy machine sees less in its time, which is said
                longer = ["--seconds", seconds, "--percentile", "50"]
                forced = invoke(url(port), *arguments, *longer, "--force")
                if "take longer" not in forced.output:
                    break
            assert forced.exit_code == 0, forced.output
            assert "Warning: somebody else sent the server" in forced.output
        finally:
            other.kill()
    (document,) = yaml.safe_load_all(file.read_text())
    assert "somebody else sent" in document["status"]["warning"]


def wait_until_others_arrive(port: int) -> None:
    before = ask_arrivals(endpoint := parse_url(url(port)))
    until_s = time.monotonic() + PATIENCE_S
    while ask_arrivals(endpoint) == before:
        assert time.monotonic() < until_s
        time.sleep(0.05)


def shows(alone: float, all_of_them: float, mebibytes: int) -> Callable[[Order], Awaitable[Json]]:
    async def look(_: Order) -> Json:
        ran = {"1": alone, "4": all_of_them, "8": all_of_them}
        return {"ran": ran, "memory_bytes": mebibytes * 2**20}

    return look


@pytest.mark.usefixtures("virtual_time")
def test_an_interrupted_run_goes_on(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And knows what the first process alone showed: its batches, its memory, what disturbed it."""
    file = tmp_path / "profiles.yaml"
    arguments = [*REQUIRED, "--seconds", "4", "--slo-ms", "100", "--percentile", "90", "--force"]
    taken: list[float] = []
    take = ServerBench.take

    async def interrupted(bench: ServerBench, step: Step) -> Seen:
        if len(taken) == 3:
            raise KeyboardInterrupt
        taken.append(step.rate_rps)
        return await take(bench, step)

    with monkeypatch.context() as first_run:
        first_run.setattr(ServerBench, "take", interrupted)
        first_run.setattr(run, "look", shows(9, 10, mebibytes=512))
        first_run.setattr(disturbance.Watch, "disturbed", lambda *_: "it rained")
        first = invoke(url(port), *arguments, "-o", str(file))
    assert (first.exit_code, file.exists()) == (130, False), first.output
    assert "The same command goes on." in first.output

    async def counted(bench: ServerBench, step: Step) -> Seen:
        taken.append(step.rate_rps)
        return await take(bench, step)

    monkeypatch.setattr(ServerBench, "take", counted)
    monkeypatch.setattr(shown, "look", shows(1, 1, mebibytes=9))
    second = invoke(url(port), *arguments, "-o", str(file))
    assert second.exit_code == 0, second.output
    assert "went on with" in second.output
    assert len({round(rate_rps, 2) for rate_rps in taken}) == len(taken)
    assert "saturation," not in second.output  # the curve was there
    assert [path.name for path in tmp_path.iterdir()] == ["profiles.yaml"]
    document = yaml.safe_load(file.read_text())
    (row,) = document["spec"]["allocations"]
    assert (row["batchSize"], row["memoryMebibytes"]) == (4, 512)
    assert "it rained" in document["status"]["warning"]


def test_what_goes_to_standard_output_is_not_said_to_go_on(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "ask_server", interrupted)
    result = invoke(url(port), *REQUIRED, "-o", "-")
    assert result.exit_code == 130
    assert "Nothing was kept" in result.output


@pytest.mark.usefixtures("virtual_time")
def test_a_grid_of_sizes_starts_a_server_for_each(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file, noted = tmp_path / "profiles.yaml", tmp_path / "noted"
    server = f"exec {sys.executable} {SERVER} --service-ms 1 --port {port}"
    start = f"sh -c 'echo {{millicores}} >> {noted}; {server}'"
    arguments = ["--name", "glyph-1", "--cpu", "1", "--cpu", "0.5", "--seconds", "1"]
    result = invoke(url(port), *arguments, "--start", start, "-o", str(file))
    assert result.exit_code == 0, result.output
    assert noted.read_text().split() == ["1000", "500"]
    (document,) = yaml.safe_load_all(file.read_text())
    assert len(document["spec"]["allocations"]) == 2
    refused = invoke(url(port), *arguments, "-o", str(file))
    assert refused.exit_code == 2
    assert "Several sizes take a --start command with {millicores} in it." in refused.output


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["http://h/v2/models/m/infer", "--name", "a"], 2, "Missing option '--cpu'"),
        (["http://h/v2/models/m/infer", "--name", "A_b", "--cpu", "1"], 2, "lower-case letters"),
        (["http://h/v2/models/m/infer", "--name", "a", "--cpu", "lots"], 2, "such as 4 or 500m"),
        (["http://h/v2/models/m/infer", "--name", "a", "--cpu", "0"], 2, "positive amount"),
        (["http://h/v2/models/m/infer", *REQUIRED, "--accuracy", "86"], 2, "0<=x<=1"),
        (["http://h/v2/models/m/infer", *REQUIRED, "--accuracy", "nan"], 2, "from 0 to 1."),
        (["http://h/v2/models/m/infer", *REQUIRED, "--load-seconds", "inf"], 2, "from 0 on."),
        (["http://h/v2/models/m/infer", *REQUIRED, "--resource", "gpu"], 2, "nvidia.com/gpu=1"),
        (["http://h/v2/models/m/infer", *REQUIRED, "--seconds", "0.5"], 2, "1.0<=x<=86400"),
        (["http://h/v2/models/m/infer", *REQUIRED, "--body", "absent"], 2, "does not exist"),
        (["http://h/v2/models/m/infer", *REQUIRED, "--epsilon", "0"], 2, "0<x<=1"),
        (
            ["http://h/v2/models/m/infer", *REQUIRED, "--slo-ms", "9", "--epsilon", "0.02"],
            2,
            "at most 0.01, which is what percentile 99 leaves",
        ),
        (["http://h/v2/models/m/infer", *REQUIRED, "--slo-ms", "0"], 2, "1<=x<=600000"),
        (["http://h/v2/models/m", *REQUIRED], 2, "must end in /v2/models/NAME/infer"),
        (["https://h/v2/models/m/infer", *REQUIRED], 2, "must begin with http://"),
        (["http://a..b:80/v2/models/m/infer", *REQUIRED], 2, "'a..b' is no name that a host can"),
        (["http://127.0.0.1:1/v2/models/m/infer", *REQUIRED], 1, "No server answers"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(arguments: list[str], code: int, sentence: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == code
    assert sentence in result.output


def test_what_the_server_does_not_say_must_be_given(port: int, tmp_path: Path) -> None:
    other = url(port, model="other")
    assert "give --accuracy" in invoke(other, *REQUIRED).output
    assert "give --shape or --body" in invoke(other, *REQUIRED, "--accuracy", "0.5").output
    assert "would be a guess" in invoke(url(port), *REQUIRED, "--batch-size", "4").output
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: [")
    assert "is not YAML" in invoke(url(port), *REQUIRED, "-o", str(bad)).output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--shape", "a,b"], "Invalid value for '--shape': A shape is whole numbers and commas"),
        (["--shape", "1,0"], "Invalid value for '--shape': Every dimension"),
        (["--shape", "1" + 400 * "0"], "too large for a request."),
        (["--body", "text"], "Invalid value for '--body': The request body text is not JSON"),
        (["--shape", "1,2", "--body", "body"], "Give --body or --shape, not both."),
        (["-o", "absent/x.yaml"], "absent/x.yaml cannot be written: No such file or directory."),
        (["-o", "text/x.yaml"], "text/x.yaml cannot be written: Not a directory."),
        (["--plot", "absent/x.svg"], "absent/x.svg cannot be written: No such file or directory."),
        (["--plot", "x.pdf"], "--plot must end in .png or .svg, not x.pdf."),
    ],
)
def test_arguments_are_judged_before_the_server_is_started(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("hello")
    Path("body").write_text("{}")
    result = invoke(url(1), *REQUIRED, "--start", "touch started", *arguments)
    assert result.exit_code == 2
    assert sentence in result.output
    assert not Path("started").exists()


def test_a_file_in_a_folder_that_takes_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:  # as a folder does; root, who may run this, may write to all
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    result = invoke(url(1), *REQUIRED, "-o", str(tmp_path / "x.yaml"))
    assert result.exit_code == 2
    assert "x.yaml cannot be written: Permission denied." in result.output
