import asyncio
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import orjson
import pytest
from click.testing import CliRunner

from infadapter_server.loadgen import __main__ as entry
from infadapter_server.loadgen.bodies import (
    BodyError,
    glyph_bodies,
    parse_shape,
    random_bodies,
    read_body,
)
from infadapter_server.loadgen.child import ChildError, replay_in_child
from infadapter_server.loadgen.command import main
from infadapter_server.loadgen.endpoint import Endpoint, UrlError, parse_url
from infadapter_server.loadgen.records import Start
from infadapter_workload.outcomes import Outcome
from tests.patience import PATIENCE_S

SERVER = Path(__file__).with_name("answering_server.py")
RUN = [sys.executable, "-m", "infadapter_server.loadgen"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    command = [sys.executable, str(SERVER), "--service-ms", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/infer"
        server.terminate()


def test_a_trace_is_replayed_and_summed_up(url: str, tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("second,requests\n0,40\n1,80\n2,99999\n")
    out = tmp_path / "out.jsonl"
    command = [*RUN, "--url", url, "--trace", str(tmp_path / "trace.csv"), "--duration", "2"]
    command += ["--compress", "0.5", "--seed", "3", "--slo-ms", "500", "--out", str(out)]
    command += ["--timeout", f"{PATIENCE_S:g}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    start, *records = [orjson.loads(line) for line in out.read_text().splitlines()]
    assert start["requests"] == len(records) > 0
    assert f"arrived   {len(records)}" in done.stdout
    assert f"variant   tiny: {len(records)}" in done.stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--url", "http://h/"], "Give one of --trace, --rps and --arrivals."),
        (["--url", "http://h/", "--rps", "5"], "--rps needs --duration."),
        (["--url", "https://h/", "--rps", "5", "--duration", "1"], "must begin with http://"),
        (["--url", "http://h/", "--rps", "1e9", "--duration", "9"], "may send 5,000,000"),
        (["--url", "http://h/", "--rps", "-5", "--duration", "1"], "Invalid value for '--rps'"),
        (["--url", "http://h/", "--rps", "nan", "--duration", "1"], "'nan' is no number above 0."),
        (["--url", "http://h/", "--rps", "5", "--duration", "inf"], "no number above 0."),
        (
            ["--url", "http://h/", "--trace", "absent.csv"],
            "absent.csv cannot be read: No such",
        ),
        (["--url", "http://h/", "--trace", "synthetic:waves"], "no synthetic trace 'waves'"),
        (
            ["--url", "http://h/", "--trace", __file__, "--trace-format", "x"],
            "no trace format 'x'",
        ),
        (
            ["--url", "http://h/", "--rps", "5", "--duration", "1", "--shape", "1,a"],
            "whole numbers",
        ),
        (["--url", "http://h/", "--rps", "5", "--duration", "1", "--out", "/nowhere/o"], "written"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(options: list[str], sentence: str) -> None:
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 2
    assert sentence in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_a_disk_that_is_full_ends_it_with_a_sentence_and_what_was_done(url: str) -> None:
    command = ["--url", url, "--rps", "40", "--duration", "0.5", "--out", "/dev/full"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "/dev/full cannot be written: No space left on device." in result.output
    assert "arrived   0" in result.output


def test_an_interrupt_while_it_imports_leaves_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Interrupting(ModuleType):
        def __getattr__(self, _: str) -> None:
            raise KeyboardInterrupt

    name = "infadapter_server.loadgen.command"
    monkeypatch.setitem(sys.modules, name, Interrupting(name))
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 130


async def test_a_child_tells_what_became_of_each_request(url: str) -> None:
    arrivals = np.linspace(0, 0.3, 40)
    seen: list[Outcome] = []
    starts: list[Start] = []
    outcomes = await replay_in_child(
        url=url,
        bodies=glyph_bodies(2, seed=1),
        arrivals_s=arrivals,
        timeout_s=PATIENCE_S,
        on_outcome=seen.append,
        on_start=starts.append,
    )
    assert [start.requests for start in starts] == [40]
    assert [round(o.scheduled_s, 6) for o in outcomes] == [round(a, 6) for a in arrivals]
    assert {o.code for o in outcomes} == {200}
    assert len(seen) == 40


async def test_a_child_that_cannot_send_says_why() -> None:
    with pytest.raises(ChildError, match="must begin with http://"):
        await replay_in_child(
            url="ftp://h/", bodies=[b"{}"], arrivals_s=np.array([0.0]), timeout_s=1
        )


async def test_a_cancelled_replay_leaves_no_child(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[Process] = []
    born = asyncio.Event()
    spawn = asyncio.create_subprocess_exec

    async def spy(*command: str, **options: Any) -> Process:
        children.append(await spawn(*command, **options))
        born.set()
        return children[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spy)
    replaying = asyncio.create_task(
        replay_in_child(url=url, bodies=[b"{}"], arrivals_s=np.array([60.0]), timeout_s=1)
    )
    await born.wait()
    await asyncio.sleep(0)
    replaying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await replaying
    assert children[0].returncode is not None


def test_a_url_is_taken_apart() -> None:
    assert parse_url("http://[::1]:81/a?b=c") == Endpoint(host="::1", port=81, path="/a?b=c")
    assert parse_url("http://h") == Endpoint(host="h", port=80, path="/")


@pytest.mark.parametrize(
    "url",
    [
        *("h:80/a", "http://", "http://h:99999/", "http://u:p@h/", "http://h/ä", "http://h/a b"),
        *("http://a..b:80/", f"http://{64 * 'a'}/"),
    ],
)
def test_what_is_no_such_url_is_refused(url: str) -> None:
    with pytest.raises(UrlError):
        parse_url(url)


def test_bodies_are_requests_of_the_protocol(tmp_path: Path) -> None:
    for body in (glyph_bodies(2, seed=1)[1], random_bodies([1, 1, 32, 32], 1, seed=0)[0]):
        (tensor,) = orjson.loads(body)["inputs"]
        assert (tensor["name"], tensor["shape"]) == ("image", [1, 1, 32, 32])
        assert tensor["datatype"] == "FP32"
        assert len(tensor["data"]) == 1024
        assert 0 <= min(tensor["data"]) <= max(tensor["data"]) <= 1
    path = tmp_path / "body.json"
    path.write_bytes(b'{"inputs": []}')
    assert read_body(path) == b'{"inputs": []}'


def test_what_is_no_body_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BodyError, match="at least 1"):
        random_bodies([1, 0], 1, seed=0)
    with pytest.raises(BodyError, match="too large"):
        random_bodies([100_000, 100_000], 1, seed=0)
    with pytest.raises(BodyError, match="whole numbers"):
        parse_shape("1,2.5")
    with pytest.raises(BodyError, match="cannot be read"):
        read_body(tmp_path / "absent.json")
    (tmp_path / "text.json").write_text("hello")
    with pytest.raises(BodyError, match="is not JSON"):
        read_body(tmp_path / "text.json")
