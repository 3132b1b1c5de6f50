"""The server of serving_world on a real socket, and clients that send any bytes to it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from infadapter_server.serving.connections import ConnectionLimits, Connections
from infadapter_server.serving.inference import Inference
from infadapter_server.serving.serve import http_server, listen
from tests.model_variants.serving_world import (
    INFER,
    Summing,
    inference_of,
    nothing_hangs,
    question,
    sample,
    until,
)
from tests.patience import PATIENCE_S

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        said: str = json.loads(self.body)["error"]
        return said


@dataclass
class Listening:
    port: int
    inference: Inference
    connections: Connections
    model: Summing
    streams: list[Stream] = field(default_factory=list)

    async def connect(self) -> Stream:
        stream = await asyncio.open_connection("127.0.0.1", self.port)
        self.streams.append(stream)
        return stream

    async def send(self, data: bytes) -> Stream:
        """Send the bytes on a new connection."""
        stream = await self.connect()
        stream[1].write(data)
        await stream[1].drain()
        return stream

    async def get(self, path: str) -> Answer:
        reader, writer = await self.send(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        answer = await read(reader)
        writer.close()
        return answer

    async def ask(self, *rows: tuple[float, float], **headers: str) -> Answer:
        reader, writer = await self.send(infer(*rows, **headers))
        answer = await read(reader)
        writer.close()
        return answer

    async def metric(self, name: str, **labels: str) -> float:
        text = (await self.get("/metrics")).body.decode()
        return sample(text, f"infadapter_server_{name}", **labels)


def infer(*rows: tuple[float, float], **headers: str) -> bytes:
    body = json.dumps(question(*rows)).encode()
    return head(len(body), **headers) + body


def head(length: int, **headers: str) -> bytes:
    lines = [f"POST {INFER} HTTP/1.1", "host: x", f"content-length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


async def read(reader: asyncio.StreamReader) -> Answer:
    """Return the next answer on a connection. Raises IncompleteReadError if it has been closed."""
    async with asyncio.timeout(PATIENCE_S):
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
    return Answer(int(status.split()[1]), headers, body)


async def closed(reader: asyncio.StreamReader) -> bool:
    """Wait until the server has closed the connection; discard what it sent before."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await reader.read()
    except ConnectionResetError:
        pass
    return True


@asynccontextmanager
async def listening(
    model: Summing | None = None,
    *,
    bounds: ConnectionLimits | None = None,
    clock: Callable[[], float] = time.monotonic,
    **limits: Any,
) -> AsyncIterator[Listening]:
    """Yield a listening server. `clock` is that of its connection limits."""
    model = model or Summing()
    inference = inference_of(model, **limits)
    inference.start()
    connections = Connections(
        inference, bounds or ConnectionLimits(), inference.metrics.connections.set, clock
    )
    server, listener = http_server(inference, connections), listen("127.0.0.1", 0)
    tasks = [
        asyncio.create_task(server.serve(sockets=[listener])),
        asyncio.create_task(connections.sweep()),
    ]
    world = Listening(listener.getsockname()[1], inference, connections, model)
    try:
        with nothing_hangs():
            await until(lambda: inference.driver.ready and server.started)
            yield world
    finally:
        for _, writer in world.streams:
            writer.close()
        model.may_compute.set()
        server.should_exit = True
        await tasks[0]
        tasks[1].cancel()
        await inference.stop(PATIENCE_S)
