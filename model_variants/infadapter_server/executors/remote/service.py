"""The worker's gRPC service: which controller it serves, and the status for others."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import grpc

from infadapter_server.executors.remote import worker_pb2 as pb
from infadapter_server.executors.remote.disk import Disk
from infadapter_server.executors.remote.session import Broken, Session
from infadapter_server.executors.remote.tensors import MOST_BYTES
from infadapter_server.executors.remote.tls import Tls
from infadapter_server.executors.remote.wire import DRIVE, PROTOCOL
from infadapter_server.executors.remote.worker import Worker

SILENCE_S = 10.0
HELLO_S = 5.0
"""Seconds for a stream's hello, as streams are few."""

_STREAMS = 8
_OPTIONS = (
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.max_send_message_length", MOST_BYTES),
    # A controller that stands still doesn't read either, so it is pinged.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.so_reuseport", 0),  # a second worker at this port is a mistake, not a share of it
)
_log = logging.getLogger(__name__)


class Service(grpc.GenericRpcHandler):
    def __init__(
        self, name: str, worker: Worker, disk: Disk, *, silence_s: float = SILENCE_S
    ) -> None:
        self._name, self._worker, self._disk = name, worker, disk
        self._silence_s = silence_s

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[pb.Order, pb.Report] | None":
        if handler_call_details.method != DRIVE:
            return None
        return grpc.stream_stream_rpc_method_handler(
            self._drive,
            request_deserializer=pb.Order.FromString,
            response_serializer=pb.Report.SerializeToString,
        )

    def _drive(
        self, orders: Iterator[pb.Order], context: grpc.ServicerContext
    ) -> Iterator[pb.Report]:
        session = Session(self._worker, self._silence_s)
        try:
            controller = self._hello(orders, context)
            if not self._worker.attach(session.tell):
                raise Broken(grpc.StatusCode.UNAVAILABLE, f"{self._name} has a controller already.")
            _log.info("driven by %s", controller)
            yield from session.reports(orders, self._state())
        except Broken as broken:
            self._end(context, broken)
        finally:
            self._worker.detach(session.tell)

    def _end(self, context: grpc.ServicerContext, broken: Broken) -> NoReturn:
        _log.warning("%s Weights are kept, and the next controller is waited for.", broken)
        context.abort(broken.code, str(broken))

    def _hello(self, orders: Iterator[pb.Order], context: grpc.ServicerContext) -> str:
        timer = threading.Timer(HELLO_S, context.cancel)
        timer.start()
        try:
            first = next(orders, pb.Order())
        finally:
            timer.cancel()
        if first.WhichOneof("kind") != "hello":
            raise Broken(grpc.StatusCode.INVALID_ARGUMENT, "The first order must be hello.")
        if first.hello.protocol != PROTOCOL:
            sentence = (
                f"{self._name} speaks version {PROTOCOL} of the protocol and the controller "
                f"version {first.hello.protocol}: use one release for both."
            )
            raise Broken(grpc.StatusCode.FAILED_PRECONDITION, sentence)
        return f"{first.hello.controller} ({context.peer()})"

    def _state(self) -> pb.State:
        on_disk = (
            pb.OnDisk(name=found.name, version=found.version, file_bytes=found.file_bytes)
            for found in self._disk.models()
        )
        return pb.State(
            protocol=PROTOCOL,
            worker=self._name,
            memory_bytes=self._disk.memory_bytes,
            on_disk=on_disk,
            loads_beside=not self._worker.shared_load,
        )


def listen(host: str, port: int, tls: Tls | None = None) -> tuple[grpc.Server, int]:
    """Return a server that is not started, and its port. Raises OSError."""
    pool = ThreadPoolExecutor(_STREAMS, thread_name_prefix="stream")
    server = grpc.server(pool, options=_OPTIONS, maximum_concurrent_rpcs=_STREAMS)
    shown = f"[{host}]" if ":" in host else host
    address = f"{shown}:{port}"
    try:
        if tls is None:
            return server, server.add_insecure_port(address)
        return server, server.add_secure_port(address, tls.of_server())
    except RuntimeError:
        raise OSError(f"Cannot listen on {address}.") from None


def serve(server: grpc.Server, service: Service) -> None:
    server.add_generic_rpc_handlers((service,))
    server.start()
