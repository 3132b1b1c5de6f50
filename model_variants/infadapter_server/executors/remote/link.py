"""One stream to a worker, from hello until it breaks: the controller's side."""

import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue

import grpc

from infadapter_server.executors.messages import (
    ExecutorReady,
    Infer,
    LoadModel,
    Order,
    Report,
    UnloadModel,
)
from infadapter_server.executors.port import Tell
from infadapter_server.executors.refused import refused
from infadapter_server.executors.remote import worker_pb2 as pb
from infadapter_server.executors.remote.clock import ClockOffset
from infadapter_server.executors.remote.wire import (
    DRIVE,
    PROTOCOL,
    BadMessage,
    read_inferred,
    read_loaded,
    written_infer,
    written_load,
)

FIRST_EXCHANGES = 6
"""Of the clocks, before any order is sent."""

PING_S = 1.0
SILENCE_S = 5.0
CLOSE_S = 1.0
MOST_UNDONE = 64


class Link:
    def __init__(self, channel: grpc.Channel, controller: str, tell: Tell) -> None:
        self.on_disk: tuple[pb.OnDisk, ...] = ()
        self.ready = False
        self._tell, self._clock = tell, ClockOffset()
        self._orders: SimpleQueue[pb.Order | None] = SimpleQueue()
        self._orders.put(pb.Order(hello=pb.Hello(protocol=PROTOCOL, controller=controller)))
        self._state: pb.State | None = None
        self._changing = threading.Condition()
        self._undone = 0
        self._over = threading.Event()
        self._heard_s = time.monotonic()
        self._silent = False
        drive = channel.stream_stream(
            DRIVE,
            request_serializer=pb.Order.SerializeToString,
            response_deserializer=pb.Report.FromString,
        )
        self._call = drive(iter(self._orders.get, None))
        self._ping()

    def run(self) -> str:
        """Tell what the worker reports until the stream breaks, and return why it did."""
        threading.Thread(target=self._keep, name="pings", daemon=True).start()
        try:
            for report in self._call:
                self._heard_s = time.monotonic()
                for told in self._read(report):
                    self._tell(told)
            return "has ended the stream"
        except grpc.RpcError:
            return self._reason()
        except BadMessage as error:
            self._call.cancel()
            return f"sends what can't be read: {error}"
        finally:
            self._over.set()
            self._orders.put(None)

    def submit(self, order: Order) -> None:
        error = self._submit(order)
        if error is not None and (report := refused(order, error)) is not None:
            self._tell(report)

    def _submit(self, order: Order) -> str | None:
        try:
            with self._changing:
                if self._undone >= MOST_UNDONE:
                    return f"There are {MOST_UNDONE} orders to do already."
                self._send(order)
        except BadMessage as error:
            return str(error)
        return None

    def _send(self, order: Order) -> None:
        match order:
            case Infer():
                self._orders.put(written_infer(order, self._clock.theirs))
                self._undone += 1
            case LoadModel():
                self._orders.put(written_load(order, self._clock.theirs))
                self._undone += 1
            case UnloadModel():
                self._orders.put(pb.Order(unload=pb.Unload(model=order.model)))
            case _:
                pass  # threads: a worker follows the quota of its own pod

    def finish(self, within_s: float) -> bool:
        """Wait for the reports of what was ordered, then close; False if they didn't come."""
        with self._changing:
            done = self._changing.wait_for(lambda: self._undone == 0, within_s)
        self._orders.put(None)  # after which the worker ends the stream
        if not self._over.wait(CLOSE_S):
            self._call.cancel()
        return done

    def _read(self, report: pb.Report) -> Iterator[Report]:
        ours = self._clock.ours
        match report.WhichOneof("kind"):
            case "pong":
                yield from self._exchanged(report.pong)
            case "state":
                self._state = report.state
                yield from self._is_ready()
            case "loaded":
                self._done()
                yield read_loaded(report.loaded, ours)
            case "inferred":
                self._done()
                yield read_inferred(report.inferred, ours)

    def _done(self) -> None:
        with self._changing:
            self._undone -= 1
            self._changing.notify_all()

    def _exchanged(self, pong: pb.Pong) -> Iterator[ExecutorReady]:
        self._clock.add(pong.sent_s, pong.here_s, time.monotonic())
        if len(self._clock) < FIRST_EXCHANGES:
            self._ping()
        yield from self._is_ready()

    def _is_ready(self) -> Iterator[ExecutorReady]:
        state = self._state
        if self.ready or state is None or len(self._clock) < FIRST_EXCHANGES:
            return
        self.ready, self.on_disk = True, tuple(state.on_disk)
        resident = tuple(read_loaded(loaded, self._clock.ours) for loaded in state.resident)
        yield ExecutorReady(
            state.memory_bytes if state.HasField("memory_bytes") else None, resident
        )

    def _ping(self) -> None:
        self._orders.put(pb.Order(ping=pb.Ping(sent_s=time.monotonic())))

    def _keep(self) -> None:
        """Keep the clocks together, and break a stream on which nothing comes any more."""
        while not self._over.wait(PING_S):
            self._ping()
            if time.monotonic() - self._heard_s > SILENCE_S:
                self._silent = True
                self._call.cancel()

    def _reason(self) -> str:
        if self._silent:
            return f"has said nothing for {SILENCE_S:g} s"
        if self._call.code() is grpc.StatusCode.CANCELLED:
            return "is not wanted any more"
        return f"can't be reached: {self._call.details()}"
