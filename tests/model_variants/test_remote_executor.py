"""Workers on other pods: over real connections, with what breaks when one of both goes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import grpc
import numpy as np
import pytest

from infadapter_server.executors.messages import (
    ExecutorReady,
    Infer,
    LoadModel,
    ModelLoaded,
    Outcome,
    UnloadModel,
)
from infadapter_server.executors.remote import link, pulse, session, tensors, wire
from infadapter_server.executors.remote import worker_pb2 as pb
from infadapter_server.executors.remote.disk import Disk
from infadapter_server.executors.remote.executor import RemoteExecutor
from infadapter_server.executors.remote.service import Service, listen, serve
from infadapter_server.executors.remote.worker import Worker
from tests.model_variants.executor_rig import Rig, computes, eventually, outputs
from tests.model_variants.fake_models import (
    DIE,
    HANG,
    HOLD,
    LATER,
    LINGER,
    MAY_END,
    RAISE,
    SWELL,
    open_fake,
    stored,
)
from tests.patience import PATIENCE_S


class Reports(Protocol):
    """What grpcio returns for a stream; its classes have no names."""

    def __iter__(self) -> Iterator[pb.Report]: ...
    def __next__(self) -> pb.Report: ...
    def code(self) -> grpc.StatusCode: ...
    def details(self) -> str | None: ...


class Local:
    """A worker in threads of this process."""

    def __init__(self, disk: Disk, silence_s: float) -> None:
        self.worker = Worker(disk.opener(open_fake))
        service = Service("worker-0", self.worker, disk, silence_s=silence_s)
        self.server, self.port = listen("127.0.0.1", 0)
        serve(self.server, service)
        self.address = f"127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.worker.run, daemon=True)
        self.thread.start()

    def end(self) -> None:
        self.worker.end()
        self.server.stop(None).wait()


@contextmanager
def local(disk: Disk | None = None, silence_s: float = PATIENCE_S) -> Iterator[Local]:
    worker = Local(disk or Disk(None), silence_s)
    try:
        yield worker
    finally:
        worker.end()


@contextmanager
def driving(address: str) -> Iterator[Rig]:
    rig = Rig(RemoteExecutor("worker-0", address, first_delay_s=0.02, most_delay_s=0.1))
    try:
        yield rig
    finally:
        rig.executor.stop(within_s=0)


@contextmanager
def process(port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "tests.model_variants.fake_worker", str(port)]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=paths, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            yield started, f"127.0.0.1:{started.stdout.readline().strip()}"
        finally:
            started.kill()


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """What is known of the other clock when it is ready is what is known of it afterwards."""
    monkeypatch.setattr(pulse, "PING_S", PATIENCE_S)
    with local(Disk(None, memory_bytes=1000)) as worker, driving(worker.address) as rig:
        assert rig.ready() == ExecutorReady(memory_bytes=1000)
        assert rig.load().outcome is Outcome.DONE
        yield rig


@contextmanager
def held(rig: Rig) -> Iterator[None]:
    """It computes something, and goes on with what is ordered meanwhile."""
    MAY_END.clear()
    rig.infer(0, HOLD)
    try:
        yield
    finally:
        MAY_END.set()


def clock_error_s(rig: Rig) -> float:
    """At most, which a busy machine makes larger."""
    assert isinstance(rig.executor, RemoteExecutor)
    assert rig.executor._link is not None
    return rig.executor._link._clock.round_trip_s / 2


def test_a_batch_goes_there_and_its_outputs_come_back(rig: Rig) -> None:
    began_s = time.monotonic()
    rig.infer(1, 3.0, 4.0)
    report = rig.inferred()
    assert outputs(report) == [[6.0, 6.0], [8.0, 8.0]]
    error_s = clock_error_s(rig)
    assert began_s - error_s <= report.begin_s <= report.end_s <= time.monotonic() + error_s


def test_a_load_reports_bytes_and_seconds_by_batch_size(rig: Rig) -> None:
    report = rig.load("another")
    assert (report.model, report.weights_bytes, set(report.execution_s)) == ("another", 8, {1, 2})


def test_the_window_is_kept_on_the_other_side(rig: Rig) -> None:
    earliest_s = time.monotonic() + 0.1
    rig.infer(1, 1.0, latest_s=time.monotonic() - 2 * clock_error_s(rig) - 0.01)
    rig.infer(2, 1.0, earliest_s=earliest_s)
    late, punctual = rig.inferred(), rig.inferred()
    assert (late.run, late.outcome, late.outputs) == (1, Outcome.TOO_LATE, None)
    assert punctual.begin_s >= earliest_s - 1e-6


def test_too_late_since_another_took_longer(rig: Rig) -> None:
    with held(rig):
        within_s = 0.05 + clock_error_s(rig)
        rig.infer(2, 1.0, latest_s=time.monotonic() + within_s)
        time.sleep(2 * within_s)
    assert [rig.inferred().outcome, rig.inferred().outcome] == [Outcome.DONE, Outcome.TOO_LATE]


def test_failures_come_back_as_sentences_and_the_next_is_served(rig: Rig) -> None:
    rig.infer(1, RAISE)
    assert rig.inferred().error == "ArithmeticError: negative"
    assert rig.load("other", "broken").error == "The file is for another network."
    rig.submit(UnloadModel("doubler"))
    rig.infer(2, 1.0)
    assert rig.inferred().error == "doubler is not loaded."
    rig.load()
    rig.infer(3, 1.0)
    assert outputs(rig.inferred()) == [[2.0, 2.0]]


def test_what_is_no_batch_or_too_large_for_a_message_is_refused_here(rig: Rig) -> None:
    rig.submit(Infer(1, "doubler", (), 0.0, LATER))
    assert "different shapes" in rig.inferred().error
    rows = (np.broadcast_to(np.float32(0), (1, tensors.MOST_BYTES)),)
    rig.submit(Infer(2, "doubler", rows, 0.0, LATER))
    assert "No message takes inputs of the shape" in rig.inferred().error


def test_more_orders_than_anyone_needs_are_refused_here(rig: Rig) -> None:
    with held(rig):
        for run in range(1, 65):
            rig.infer(run, 1.0)
        report = rig.inferred()
    assert (report.run, report.error) == (64, "There are 64 such orders to do already.")


def test_a_killed_worker_is_lost_and_one_at_its_place_is_ready_with_nothing() -> None:
    with process() as (first, address), driving(address) as rig:
        rig.ready()
        rig.load()
        rig.infer(1, DIE)
        reason = rig.lost()
        assert reason.startswith(f"worker-0 at {address} can't be reached")
        assert first.wait(PATIENCE_S) == -signal.SIGKILL
        rig.infer(2, 1.0)
        assert rig.inferred().error == "worker-0 can't be reached."
        with process(int(address.rpartition(":")[2])):
            assert rig.ready() == ExecutorReady()
            rig.load()
            rig.infer(3, 1.0)
            assert outputs(rig.inferred()) == [[2.0, 2.0]]


def test_a_worker_that_falls_silent_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "PING_S", 0.02)
    with process() as (frozen, address), driving(address) as rig:
        rig.ready()
        frozen.send_signal(signal.SIGSTOP)
        with monkeypatch.context() as patched:
            patched.setattr(pulse, "SILENCE_S", 0.2)
            reason = rig.lost()
        assert reason == f"worker-0 at {address} has said nothing for 0.2 s."
        frozen.send_signal(signal.SIGCONT)
        rig.ready()


def test_a_worker_that_hangs_for_the_controller_before_is_lost_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pulse, "PING_S", 0.02)
    with process() as (worker, address):
        with driving(address) as first:
            first.ready()
            first.load()
            first.infer(1, HANG)
            assert eventually(lambda: computes(worker.pid))
        monkeypatch.setattr(pulse, "BEGIN_S", 0.2)
        with driving(address) as second:
            assert second.lost() == f"worker-0 at {address} did not get ready within 0.2 s."


def test_what_is_ordered_before_it_is_connected_is_done_then() -> None:
    with local() as worker, driving(worker.address) as rig:
        rig.submit(LoadModel(stored(), 0.0, LATER))
        rig.infer(1, 1.0)
        rig.ready()
        rig.loaded()
        assert outputs(rig.inferred()) == [[2.0, 2.0]]


def test_what_is_ordered_before_nobody_is_reached_is_lost_with_it() -> None:
    with driving("127.0.0.1:1") as rig:
        rig.infer(1, 1.0)
        rig.lost()
        rig.infer(2, 1.0)
        told = rig.inferred()
        if told.run == 1:  # nobody was reached before it was ordered
            told = rig.inferred()
        assert told.run == 2


def test_unreachable_is_told_once_however_often_it_is_tried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with driving("127.0.0.1:1") as rig:
        assert "can't be reached" in rig.lost()
        assert rig.silent(0.3)
    assert len([entry for entry in caplog.records if "can't be reached" in entry.message]) == 1


def test_weights_outlive_their_controller_and_the_next_one_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with local() as worker:
        with driving(worker.address) as first:
            first.ready()
            loaded = first.load()
            first.load("gone")
            first.submit(UnloadModel("gone"))
            first.infer(1, LINGER)
            first.infer(2, 1.0)
        assert eventually(lambda: "the next controller is waited for" in caplog.text)
        with driving(worker.address) as second:
            resident = second.ready().resident
            assert [report.model for report in resident] == ["doubler"]
            assert resident[0].execution_s == loaded.execution_s
            second.infer(1, 5.0)
            assert outputs(second.inferred()) == [[10.0, 10.0]]


def test_a_second_controller_gets_a_sentence_until_the_first_has_gone() -> None:
    with local() as worker, driving(worker.address) as first:
        first.ready()
        with driving(worker.address) as second:
            assert "worker-0 has a controller already." in second.lost()
            first.executor.stop(within_s=0)
            second.ready()


def test_a_silent_controller_loses_its_place() -> None:
    with local(silence_s=0.1) as worker, grpc.insecure_channel(worker.address) as channel:
        release = threading.Event()

        def hello_and_no_more() -> Iterator[pb.Order]:
            yield pb.Order(hello=pb.Hello(protocol=wire.PROTOCOL))
            release.wait(PATIENCE_S)

        assert ends(drive(channel, hello_and_no_more())) == (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "The controller has said nothing for 0.1 s.",
        )
        release.set()
        with driving(worker.address) as next_one:
            next_one.ready()


def drive(channel: grpc.Channel, orders: Iterator[pb.Order]) -> Reports:
    method = channel.stream_stream(
        wire.DRIVE,
        request_serializer=pb.Order.SerializeToString,
        response_deserializer=pb.Report.FromString,
    )
    return method(orders)


def ends(reports: Reports) -> tuple[grpc.StatusCode, str | None]:
    with pytest.raises(grpc.RpcError):
        for _ in reports:
            pass
    return reports.code(), reports.details()


HELLO = pb.Order(hello=pb.Hello(protocol=wire.PROTOCOL))


@pytest.mark.parametrize(
    ("orders", "code", "sentence"),
    [
        (
            [pb.Order(hello=pb.Hello(protocol=99))],
            grpc.StatusCode.FAILED_PRECONDITION,
            "worker-0 speaks version 1 of the protocol and the controller version 99: "
            "use one release for both.",
        ),
        (
            [pb.Order(ping=pb.Ping())],
            grpc.StatusCode.INVALID_ARGUMENT,
            "The first order must be hello.",
        ),
        ([], grpc.StatusCode.INVALID_ARGUMENT, "The first order must be hello."),
        ([HELLO, pb.Order()], grpc.StatusCode.INVALID_ARGUMENT, "That is no order."),
        (
            [HELLO, *[pb.Order(infer=pb.Infer(earliest_s=LATER, rows=pb.Tensor(shape=[0])))] * 600],
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "More than 512 orders or reports are under way already.",
        ),
    ],
)
def test_a_stranger_gets_a_status_and_a_sentence(
    orders: list[pb.Order], code: grpc.StatusCode, sentence: str
) -> None:
    with local() as worker, grpc.insecure_channel(worker.address) as channel:
        assert ends(drive(channel, iter(orders))) == (code, sentence)
        with driving(worker.address) as rig:
            rig.ready()  # and the worker goes on


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        (
            pb.Order(infer=pb.Infer(rows=pb.Tensor(shape=[2, 2], values=b"1234"))),
            "4 bytes are no tensor of the shape [2, 2].",
        ),
        (pb.Order(load=pb.Load(name="m", format="tarball")), "'tarball' is no format of models."),
    ],
)
def test_what_can_not_be_read_fails_alone(order: pb.Order, sentence: str) -> None:
    with local() as worker, grpc.insecure_channel(worker.address) as channel:
        reports = drive(channel, iter([HELLO, order]))
        kinds = [(report.loaded.error, report.inferred.error) for report in upto(reports, 2)]
        assert sentence in {sentence for errors in kinds for sentence in errors}


def test_a_message_larger_than_the_bound_ends_the_stream_of_its_sender_only() -> None:
    rows = pb.Tensor(shape=[tensors.MOST_BYTES], values=bytes(tensors.MOST_BYTES))
    with local() as worker, grpc.insecure_channel(worker.address) as channel:
        code, _ = ends(drive(channel, iter([HELLO, pb.Order(infer=pb.Infer(rows=rows))])))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        with driving(worker.address) as rig:
            rig.ready()


def test_outputs_larger_than_a_message_fail_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "MOST_BYTES", 8192)
    with local() as worker, driving(worker.address) as rig:
        rig.ready()
        rig.load()
        rig.infer(1, SWELL)
        assert rig.inferred().error == "No message takes outputs of the shape [1, 10000]."


def upto(reports: Reports, count: int) -> Iterator[pb.Report]:
    for _ in range(count):
        yield next(reports)


def test_only_what_is_on_its_disk_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (folder / "mine" / "1").mkdir(parents=True)
    (folder / "mine" / "1" / "model.pt").write_bytes(b"12345")
    (tmp_path / "secret").write_bytes(b"")
    disk = Disk(folder)
    found = {(model.name, model.version, model.file_bytes) for model in disk.models()}
    assert ("mine", "1", 5) in found
    assert any(name == "glyph-1" for name, _, _ in found)
    with local(disk) as worker, driving(worker.address) as rig:
        rig.ready()
        assert isinstance(rig.executor, RemoteExecutor)
        assert set(rig.executor.on_disk) == set(disk.models())
        assert file_load(rig, "mine", "/elsewhere/mine/1/model.pt").outcome is Outcome.DONE
        assert (
            file_load(rig, "..", "/elsewhere/secret").error
            == "There is no ../1/secret on this worker's disk."
        )
        assert "no mine/1/other.pt" in file_load(rig, "mine", "other.pt").error


def file_load(rig: Rig, name: str, file: str) -> ModelLoaded:
    rig.submit(LoadModel(replace(stored(name), file=file), 0.0, LATER))
    return rig.loaded()


def test_a_model_larger_than_the_bound_is_refused_with_a_sentence() -> None:
    with local(Disk(None, memory_bytes=7)) as worker, driving(worker.address) as rig:
        rig.ready()
        assert rig.load().error == (
            "doubler takes 8 bytes, and all models of this worker may take 7."
        )


def test_stopping_waits_for_what_was_ordered(rig: Rig) -> None:
    rig.infer(1, LINGER)
    assert rig.executor.stop(within_s=PATIENCE_S)
    assert rig.inferred().outcome is Outcome.DONE
    assert rig.lost() == "worker-0 was stopped."


def test_stopping_does_not_wait_for_one_that_hangs() -> None:
    with process() as (_, address), driving(address) as rig:
        rig.ready()
        rig.load()
        rig.infer(1, HANG)
        assert not rig.executor.stop(within_s=0.05)


def test_a_worker_takes_more_than_a_controller_sends() -> None:
    assert sum(link.MOST_UNDONE.values()) < session.MOST_UNDONE
