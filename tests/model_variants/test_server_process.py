"""The server as others meet it: a process with a port, signals and an exit code."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infadapter_server.loadgen.endpoint import parse_url
from infadapter_server.networks.notes import measured
from infadapter_server.profiling.target import ask_facts
from infadapter_server.serving.command import command
from infadapter_server.serving.inference import Inference
from tests.patience import PATIENCE_S

REAL = ("-m", "infadapter_server", "--variant", "glyph-1", "--model", "glyphs", "--port", "0")
# A server whose network answers when the file it is told of exists, to requests that may take so
# long; without torch it starts fast.
PATIENT = """
import sys, time
from pathlib import Path
from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.networks.signatures import Signature
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.assembly import always
from infadapter_server.serving.deadlines import Deadlines
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.inference import Identity, Inference, Limits
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.serve import listen, run

class Patient:
    weights_bytes = 0
    def __init__(self):
        while Path(sys.argv[1], "load").exists():
            Path(sys.argv[1], "loading").touch()
            time.sleep(0.005)
    def __call__(self, batch):
        if batch.any():
            Path(sys.argv[1], "computing").touch()
            while not Path(sys.argv[1], "finish").exists():
                time.sleep(0.005)
        return batch
    def use_threads(self, threads):
        pass

signature = Signature(input_shape=(1,), output_shape=(1,))
identity = Identity(variant="tiny", model="glyphs", signature=signature)
stored = Stored(name="glyphs", version="1", format=Format.VARIANT, signature=signature)
metrics = ServerMetrics("tiny")
inference = Inference(
    variant="tiny",
    models={"glyphs": identity},
    limits=Limits(deadlines=Deadlines(longest_s=float(sys.argv[2]))),
    driver=Driver(always(stored), [ThreadExecutor("executor", lambda _: Patient())], metrics),
    metrics=metrics,
)
listener = listen("127.0.0.1", 0)
print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
sys.exit(0 if run(inference, listener, drain_s=0, thread_limit=lambda: 1) else 1)
"""


class Server:
    """A server process and the connections to it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.address = urlsplit(process.stdout.readline().removeprefix("listening on ").strip())
        self.connections: list[http.client.HTTPConnection] = []
        self.connection = self.connect()

    def connect(self) -> http.client.HTTPConnection:
        assert self.address.hostname is not None
        connection = http.client.HTTPConnection(
            self.address.hostname, self.address.port, timeout=PATIENCE_S
        )
        self.connections.append(connection)
        return connection

    def get(self, path: str) -> int:
        self.connection.request("GET", path)
        response = self.connection.getresponse()
        response.read()
        return response.status

    def ask(
        self,
        connection: http.client.HTTPConnection | None = None,
        statuses: list[int] | None = None,
    ) -> bool:
        """Ask, and on a connection that is given wait for the answer: does it stay open?"""
        shape, values = ((1, 1), 1) if statuses is None else ((1, 1, 32, 32), 1024)
        asking = connection or self.connect()
        asking.request("POST", "/v2/models/glyphs/infer", question(shape, values))
        if statuses is None:
            return True
        response = asking.getresponse()
        response.read()
        statuses.append(response.status)
        return response.headers["connection"] != "close"

    def ready(self) -> bool:
        return self.get("/v2/health/ready") == 200

    def listens(self) -> bool:
        try:
            with socket.create_connection((self.address.hostname, self.address.port), PATIENCE_S):
                return True
        except ConnectionRefusedError:
            return False

    def end(self) -> tuple[int, str]:
        """The exit code and what was written to the standard error."""
        _, errors = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, errors


@contextmanager
def started(*arguments: str, ready: bool = True) -> Iterator[Server]:
    others = {k: v for k, v in os.environ.items() if not k.startswith("INFADAPTER_")}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**others, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
    )
    server = Server(process)
    try:
        if ready:
            wait_for(server.ready)
        yield server
    finally:
        for connection in server.connections:
            connection.close()
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def question(shape: tuple[int, ...], values: int) -> bytes:
    tensor = {"name": "image", "shape": shape, "datatype": "FP32", "data": [0.5] * values}
    return json.dumps({"inputs": [tensor]}).encode()


@pytest.mark.process
def test_a_real_network_answers_and_drains_when_it_is_told_to_stop() -> None:
    with started(*REAL, "--drain-seconds", "0.5") as server:
        infer = ("POST", "/v2/models/glyphs/infer", question((1, 1, 32, 32), 1024))
        server.connection.request(*infer)
        response = server.connection.getresponse()
        assert response.status == 200
        assert response.headers["infadapter-variant"] == "glyph-1"
        assert json.loads(response.read())["outputs"][0]["shape"] == [1, 36]

        endpoint = parse_url(f"{server.address.geturl()}{infer[1]}")
        facts = asyncio.run(ask_facts(endpoint))
        assert facts.accuracy == measured()["glyph-1"]["accuracy"]

        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: server.get("/v2/health/ready") == 503)
        assert server.get("/v2/health/live") == 200
        server.connection.request(*infer)  # those who have not noticed yet are still answered
        response = server.connection.getresponse()
        assert response.status == 200
        assert response.headers["connection"] == "close"
        response.read()
        code, errors = server.end()
    assert code == 0
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_answered_after_the_last_one_was_let_in(
    tmp_path: Path, number: signal.Signals
) -> None:
    with started("-c", PATIENT, str(tmp_path), f"{PATIENCE_S}") as server:
        connection = server.connect()
        connection.request("POST", "/v2/models/glyphs/infer", question((1, 1), 1))
        wait_for((tmp_path / "computing").exists)
        server.process.send_signal(number)
        wait_for(lambda: not server.listens())
        assert server.process.poll() is None
        (tmp_path / "finish").touch()
        response = connection.getresponse()
        assert response.status == 200
        assert json.loads(response.read())["outputs"][0]["data"] == [0.5]
        code, errors = server.end()
    assert code == 0
    assert "Traceback" not in errors


def test_an_inference_that_hangs_does_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    with started("-c", PATIENT, str(tmp_path), "1") as server:
        server.ask()
        wait_for((tmp_path / "computing").exists)
        server.process.send_signal(signal.SIGTERM)
        code, errors = server.end()
    assert code == 1
    assert "the process ends without it" in errors
    assert "Traceback" not in errors


def test_one_that_is_told_to_stop_while_it_loads_ends_without_a_fault(tmp_path: Path) -> None:
    (tmp_path / "load").touch()
    with started("-c", PATIENT, str(tmp_path), "1", ready=False) as server:
        wait_for((tmp_path / "loading").exists)
        server.process.send_signal(signal.SIGTERM)
        code, errors = server.end()
    assert code == 0, errors
    assert "Traceback" not in errors


TOLD_TO_STOP = """
import os, signal, sys, time
class Stop:
    def find_spec(self, name, path, target=None):
        if name == "infadapter_server.exit_code":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(600)
sys.meta_path.insert(0, Stop())
from {entry} import main
main()
"""


@pytest.mark.parametrize(
    "entry", ["infadapter_server.__main__", "infadapter_server.executors.remote.command"]
)
def test_one_that_is_told_to_stop_while_it_imports_ends_without_a_fault(entry: str) -> None:
    """The default action is not taken by process 1, which a pod's is."""
    command = (sys.executable, "-c", TOLD_TO_STOP.format(entry=entry))
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "entry", ["infadapter_server.__main__", "infadapter_server.executors.remote.command"]
)
def test_a_process_that_has_ended_does_not_wait_until_its_interpreter_is_taken_down(
    entry: str,
) -> None:
    code = (
        f"import atexit, time; atexit.register(time.sleep, 600); from {entry} import main; main()"
    )
    command = (sys.executable, "-c", code, "--help")
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0
    assert "--port" in done.stdout
    assert not done.stderr


@pytest.mark.process
def test_draining_under_load_loses_no_request_and_fails_none() -> None:
    """As from a router: it goes on for a while, on new connections where old ones are closed."""
    with started(*REAL, "--drain-seconds", "1") as server:
        statuses: list[int] = []
        unanswered: list[Exception] = []
        noticed = threading.Event()

        def client() -> None:
            connection = server.connect()
            while not noticed.is_set():
                try:
                    if not server.ask(connection, statuses):
                        connection = server.connect()
                except Exception as error:  # noqa: BLE001 - whatever it is, it was a request's
                    unanswered.append(error)

        clients = [threading.Thread(target=client) for _ in range(6)]
        for thread in clients:
            thread.start()
        wait_for(lambda: len(statuses) > 100)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: server.get("/v2/health/ready") == 503)
        before = len(statuses)
        time.sleep(0.3)
        noticed.set()
        for thread in clients:
            thread.join(PATIENCE_S)
        code, errors = server.end()
    assert code == 0
    assert "Traceback" not in errors
    assert not unanswered
    assert len(statuses) > before
    assert set(statuses) == {200}


def test_a_body_beyond_the_limit_is_refused_and_the_connection_goes_on(tmp_path: Path) -> None:
    with started("-c", PATIENT, str(tmp_path), "1") as server:
        server.connection.request("POST", "/v2/models/glyphs/infer", b" " * 2_000_000)
        response = server.connection.getresponse()
        assert response.status == 413
        assert "longer than" in json.loads(response.read())["error"]
        assert server.ready()


def test_the_command_line_is_understood_without_waiting_for_torch() -> None:
    code = "import sys, infadapter_server.serving.command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "Missing option '--variant'. Choose from: glyph-1, "),
        (["--variant", "vgg"], 2, "'vgg' is not one of 'glyph-1', "),
        (["--variant", "glyph-1", "--model", "a/b"], 2, "--model 'a/b' must be letters"),
        (["--variant", "glyph-1", "--port", "70000"], 2, "70000 is not in the range"),
        (["--variant", "glyph-1", "--weights", "/nowhere"], 2, "'/nowhere' does not exist"),
        (["--variant", "glyph-1", "--drain-seconds", "-1"], 2, "-1.0 is not in the range"),
        (["--variant", "glyph-1", "--slo-ms", "0"], 2, "0.0 is not in the range"),
        (["--variant", "glyph-1", "--longest-deadline-ms", "inf"], 2, "inf"),
        (["--variant", "glyph-1", "--drain-seconds", "nan"], 2, "'nan' is no number from 0"),
        (["--variant", "glyph-1", "--model", "a", "--model", "b"], 2, "give one --model"),
        (["--variant", "glyph-1", "--memory", "1Gi"], 2, "leave --repository and --memory out"),
        (["--model", "a"], 2, "'a' is not NAME=VARIANT, NAME=FILE or NAME=FOLDER"),
        (["--model", "a=glyph-1", "--model", "a=glyph-2"], 2, "two models of the name a"),
        (["--model", "a=vgg"], 2, "'vgg' is no variant, no file and no folder"),
        (["--model", "a=glyph-1", "--weights", __file__], 2, "--weights belongs to --variant"),
        (["--model", "a=glyph-1", "--memory", "many"], 2, "'--memory': 'many' is no quantity"),
        (["--model", "a=glyph-1", "--memory", "9"], 2, "9 is less than 1048576 bytes"),
        (["--variant", "glyph-1", "--processes", "0"], 2, "0 is not in the range"),
        (
            ["--variant", "glyph-1", "--processes", "2", "--worker", "a:1"],
            2,
            "of another: give one",
        ),
        (["--variant", "glyph-1", "--worker", "a"], 2, "--worker 'a' is not HOST:PORT"),
        (["--variant", "glyph-1", "--worker", "a:0"], 2, "--worker 'a:0' is not HOST:PORT"),
        (["--variant", "glyph-1", "--worker", "a:1", "--worker", "a:1"], 2, "each --worker once"),
        (["--variant", "glyph-1", "--worker-tls", "/tmp"], 2, "give --worker too"),
        (
            ["--variant", "glyph-1", "--worker", "a:1", "--worker-tls", "/proc"],
            2,
            "--worker-tls: /proc/tls.key: No such file or directory.",
        ),
        (
            ["--model", "a=glyph-1", "--memory", "3Mi", "--processes", "4"],
            2,
            "--memory leaves 786432 bytes for each of --processes",
        ),
        (["--repository", "/nowhere"], 2, "'/nowhere' does not exist"),
        (["--variant", "glyph-1", "extra"], 2, "unexpected extra argument"),
        (["--variant", "glyph-1", "--host", "no.such.invalid"], 1, "Cannot listen on no.such"),
    ],
)
def test_bad_arguments_get_one_sentence(
    arguments: list[str],
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # put back afterwards, for the command sets it
    monkeypatch.setattr(sys, "argv", ["infadapter-server", *arguments])
    assert command() == code
    output = capsys.readouterr()
    assert output.err.startswith("infadapter-server: ")
    assert says in output.err
    assert output.err.count("\n") == 1


def test_a_misspelt_variable_is_named_at_the_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("INFADAPTER_MAXBATCH", "4")
    monkeypatch.setattr(sys, "argv", ["infadapter-server"])
    assert command() == 2
    (said,) = caplog.messages
    assert "INFADAPTER_MAXBATCH is read by nobody" in said
    assert said.endswith("did you mean INFADAPTER_MAX_BATCH?")


def test_a_server_ends_at_once_where_none_of_its_models_can_be_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "page.onnx").write_bytes(b"<html>not found</html>")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    given = ["--model", f"m={tmp_path}/page.onnx"]
    monkeypatch.setattr(sys, "argv", ["infadapter-server", *given])
    assert command() == 2
    said = capsys.readouterr().err
    assert said.startswith("infadapter-server: m can't be served: The model ")
    assert "is damaged, or no ONNX file: write it by torch" in said


def test_a_port_in_use_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["--variant", "glyph-1", "--host", "127.0.0.1", "--port", str(port)]
        monkeypatch.setattr(sys, "argv", ["infadapter-server", *arguments])
        assert command() == 1
    assert capsys.readouterr().err == (
        f"infadapter-server: Cannot listen on 127.0.0.1:{port}: Address already in use.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "accuracy"),
    [
        (["--variant", "glyph-1"], measured()["glyph-1"]["accuracy"]),
        (["--variant", "glyph-1", "--weights", __file__], None),
        (["--variant", "resnet18"], None),
    ],
)
def test_only_shipped_weights_have_an_accuracy(
    arguments: list[str], accuracy: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(inference: Inference, listener: socket.socket, **_: object) -> bool:
        listener.close()
        told.extend(known.accuracy for known in inference.models.values())
        return True

    told: list[float | None] = []
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("infadapter_server.serving.launch.run", run)
    monkeypatch.setattr(sys, "argv", ["infadapter-server", "--port", "0", *arguments])
    assert command() == 0
    assert told == [accuracy]


@pytest.mark.process
def test_the_profiler_is_told_the_accuracy_of_a_shipped_network_in_a_repository(
    tmp_path: Path,
) -> None:
    (tmp_path / "small" / "1").mkdir(parents=True)
    (tmp_path / "small" / "config.yaml").write_text("variant: glyph-1\n")
    with started(*REAL[:2], "--repository", str(tmp_path), "--port", "0") as server:
        endpoint = parse_url(f"{server.address.geturl()}/v2/models/small/infer")
        assert asyncio.run(ask_facts(endpoint)).accuracy == measured()["glyph-1"]["accuracy"]


def test_an_interrupt_before_the_server_listens_ends_it_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("infadapter_server.serving.launch.listen", interrupted)
    monkeypatch.setattr(sys, "argv", ["infadapter-server", "--variant", "glyph-1"])
    assert command() == 130
    assert capsys.readouterr().err.strip() == ""


def test_weights_that_do_not_load_end_the_server_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    weights = tmp_path / "notes.txt"
    weights.write_text("no weights at all")
    arguments = ["--variant", "resnet18", "--weights", str(weights), "--port", "0"]
    monkeypatch.setattr(sys, "argv", ["infadapter-server", *arguments])
    assert command() == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"infadapter-server: The weights {weights} cannot be read")
