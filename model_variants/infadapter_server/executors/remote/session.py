"""A controller's stream, the worker's side: from its hello until it ends or falls silent."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from queue import Empty, SimpleQueue

import grpc

from infadapter_server.executors.messages import Inferred, ModelLoaded, Outcome, Report, UnloadModel
from infadapter_server.executors.remote import worker_pb2 as pb
from infadapter_server.executors.remote.tensors import BadMessage, fits
from infadapter_server.executors.remote.wire import (
    read_infer,
    read_load,
    written_inferred,
    written_loaded,
)
from infadapter_server.executors.remote.worker import Worker

MOST_UNDONE = 512
_CHECK_S = 0.5
_IDLE_CHECK_S = 0.01


class Broken(Exception):
    """The stream ends with this status and sentence."""

    def __init__(self, code: grpc.StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Session:
    def __init__(self, worker: Worker, silence_s: float) -> None:
        self._worker, self._silence_s = worker, silence_s
        self._reports: SimpleQueue[pb.Report | None] = SimpleQueue()
        self._heard_s = time.monotonic()
        self._broken: Broken | None = None

    def tell(self, report: Report) -> None:
        match report:
            case Inferred(outputs=outputs) if outputs is not None and not fits(outputs.shape):
                error = f"No message takes outputs of the shape {list(outputs.shape)}."
                self.tell(replace(report, outcome=Outcome.FAILED, outputs=None, error=error))
            case Inferred():
                self._reports.put(pb.Report(inferred=written_inferred(report)))
            case ModelLoaded():
                self._reports.put(pb.Report(loaded=written_loaded(report)))

    def reports(self, orders: Iterator[pb.Order], state: pb.State) -> Iterator[pb.Report]:
        """
        Yield what is sent to the controller. Raises Broken. The initial state is sent once the work
        for an earlier controller has ended, because only then is it known what is resident.
        """
        threading.Thread(target=self._read, args=(orders,), name="orders", daemon=True).start()
        while self._worker.undone:
            yield from self._next(_IDLE_CHECK_S)
        state.resident.extend(map(written_loaded, self._worker.resident))
        yield pb.Report(state=state)
        while True:
            yield from self._next(_CHECK_S)

    def _next(self, within_s: float) -> Iterator[pb.Report]:
        try:
            report = self._reports.get(timeout=within_s)
        except Empty:
            if time.monotonic() - self._heard_s > self._silence_s:
                sentence = f"The controller has said nothing for {self._silence_s:g} s."
                raise Broken(grpc.StatusCode.DEADLINE_EXCEEDED, sentence) from None
            return
        if report is None:
            raise self._broken or Broken(grpc.StatusCode.CANCELLED, "The controller has gone.")
        yield report

    def _read(self, orders: Iterator[pb.Order]) -> None:
        try:
            for order in orders:
                self._heard_s = time.monotonic()
                self._take(order)
        except Broken as broken:
            self._broken = broken
        except grpc.RpcError:
            pass  # the stream is broken already
        finally:
            self._reports.put(None)

    def _take(self, order: pb.Order) -> None:
        if max(self._worker.undone, self._reports.qsize()) >= MOST_UNDONE:
            sentence = f"More than {MOST_UNDONE} orders or reports are under way already."
            raise Broken(grpc.StatusCode.RESOURCE_EXHAUSTED, sentence)
        match order.WhichOneof("kind"):
            case "ping":
                pong = pb.Pong(sent_s=order.ping.sent_s, here_s=time.monotonic())
                self._reports.put(pb.Report(pong=pong))
            case "infer":
                self._infer(order.infer)
            case "load":
                self._load(order.load)
            case "unload":
                self._worker.submit(UnloadModel(order.unload.model))
            case _:
                raise Broken(grpc.StatusCode.INVALID_ARGUMENT, "That is no order.")

    def _infer(self, infer: pb.Infer) -> None:
        try:
            self._worker.submit(read_infer(infer))
        except BadMessage as error:
            now_s = time.monotonic()
            failed = Inferred(infer.run, Outcome.FAILED, now_s, now_s, error=str(error))
            self.tell(failed)

    def _load(self, load: pb.Load) -> None:
        try:
            self._worker.submit(read_load(load))
        except BadMessage as error:
            now_s = time.monotonic()
            failed = ModelLoaded(load.name, Outcome.FAILED, now_s, now_s, error=str(error))
            self.tell(failed)
