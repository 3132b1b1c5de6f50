"""One stream to a worker, from its hello until it breaks: the controller's side."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
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
from infadapter_server.executors.remote.disk import OnDisk
from infadapter_server.executors.remote.pulse import Pulse
from infadapter_server.executors.remote.tensors import BadMessage
from infadapter_server.executors.remote.wire import (
    DRIVE,
    PROTOCOL,
    read_inferred,
    read_loaded,
    written_infer,
    written_load,
)

CLOSE_S = 1.0
MOST_UNDONE: Mapping[type[Infer | LoadModel], int] = {Infer: 64, LoadModel: 256}
"""Pending orders: more than any scheduler sends ahead."""


class Link:
    """The stream. `explained` turns gRPC's message into what to do."""

    def __init__(
        self,
        channel: grpc.Channel,
        controller: str,
        tell: Tell,
        explained: Callable[[str], str] = str,
    ) -> None:
        self._explained = explained
        self.on_disk: tuple[OnDisk, ...] = ()
        self.ready = False
        self._tell = tell
        self._orders: SimpleQueue[pb.Order | None] = SimpleQueue()
        self._orders.put(pb.Order(hello=pb.Hello(protocol=PROTOCOL, controller=controller)))
        self._state: pb.State | None = None
        self._changing = threading.Condition()
        self._undone: Counter[type[Infer | LoadModel]] = Counter()
        self._pulse = Pulse(self._orders.put)
        self._clock = self._pulse.clock
        drive = channel.stream_stream(
            DRIVE,
            request_serializer=pb.Order.SerializeToString,
            response_deserializer=pb.Report.FromString,
        )
        self._call = drive(iter(self._orders.get, None))

    def run(self) -> str:
        """Pass on the worker's reports until the stream breaks, and return why it did."""
        keep, give_up = self._pulse.keep, (self.give_up,)
        threading.Thread(target=keep, args=give_up, name="pings", daemon=True).start()
        try:
            for report in self._call:
                self._pulse.heard()
                for told in self._read(report):
                    self._tell(told)
            return "has ended the stream"
        except grpc.RpcError:
            return self._reason()
        except BadMessage as error:
            self._call.cancel()
            return f"sends what can't be read: {error}"
        finally:
            self._pulse.end()
            self._orders.put(None)

    def submit(self, order: Order) -> None:
        error = self._submit(order)
        if error is not None and (report := refused(order, error)) is not None:
            self._tell(report)

    def _submit(self, order: Order) -> str | None:
        try:
            with self._changing:
                self._send(order)
        except BadMessage as error:
            return str(error)
        return None

    def _send(self, order: Order) -> None:
        """Send an order. Raises BadMessage."""
        match order:
            case Infer():
                self._begin(order, written_infer(order, self._clock.theirs))
            case LoadModel():
                self._begin(order, written_load(order, self._clock.theirs))
            case UnloadModel():
                self._orders.put(pb.Order(unload=pb.Unload(model=order.model)))
            case _:
                pass  # threads: a worker follows the quota of its own pod

    def _begin(self, order: Infer | LoadModel, written: pb.Order) -> None:
        kind = type(order)
        if self._undone[kind] >= MOST_UNDONE[kind]:
            raise BadMessage(f"There are {MOST_UNDONE[kind]} such orders to do already.")
        self._undone[kind] += 1
        self._orders.put(written)

    def give_up(self) -> None:
        self._call.cancel()

    def finish(self, within_s: float) -> bool:
        """Wait for pending reports, then close; False if they didn't come."""
        with self._changing:
            done = self._changing.wait_for(lambda: not self._undone.total(), within_s)
        self._orders.put(None)  # after which the worker ends the stream
        if not self._pulse.ended(CLOSE_S):
            self._call.cancel()
        return done

    def _read(self, report: pb.Report) -> Iterator[Report]:
        ours = self._clock.ours
        match report.WhichOneof("kind"):
            case "pong":
                self._pulse.exchanged(report.pong)
                yield from self._is_ready()
            case "state":
                self._state = report.state
                yield from self._is_ready()
            case "loaded":
                self._done(LoadModel)
                yield read_loaded(report.loaded, ours)
            case "inferred":
                self._done(Infer)
                yield read_inferred(report.inferred, ours)

    def _done(self, kind: type[Infer | LoadModel]) -> None:
        with self._changing:
            self._undone[kind] -= 1
            self._changing.notify_all()

    def _is_ready(self) -> Iterator[ExecutorReady]:
        state = self._state
        if self.ready or state is None or not self._pulse.settled:
            return
        self.on_disk = tuple(
            OnDisk(found.name, found.version, found.file_bytes) for found in state.on_disk
        )
        self.ready = self._pulse.begun = True
        resident = tuple(read_loaded(loaded, self._clock.ours) for loaded in state.resident)
        yield ExecutorReady(
            state.memory_bytes if state.HasField("memory_bytes") else None,
            resident,
            shared_load=not state.loads_beside,
        )

    def _reason(self) -> str:
        if self._pulse.fault:
            return self._pulse.fault
        if self._call.code() is grpc.StatusCode.CANCELLED:
            return "is not wanted any more"
        return f"can't be reached: {self._explained(self._call.details() or '')}"
