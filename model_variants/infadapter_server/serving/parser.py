"""
A process that parses large JSON bodies: `python -m infadapter_server.serving.parser`.

A body of 24 MB holds the interpreter for 0.3 s in one call. In a thread, probes would wait as long,
and executions between their operations. The process ends with its input, so also when the server is
killed.
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import IO, Any

import numpy as np
import orjson

from infadapter_server.interpreter import module_command
from infadapter_server.networks.signatures import Floats, Signature
from infadapter_server.serving import protocol
from infadapter_server.serving.oip.outputs import Wanted
from infadapter_server.serving.protocol import BadTensor, Question

__all__ = ["Parser", "ParserLost"]

_BESIDE_BATCH = [each.name for each in fields(Question) if each.name != "batch"]


class ParserLost(Exception):
    """The process has ended, probably for lack of memory; the next body starts another."""


class Parser:
    """Parses one body at a time, to bound memory."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._thread = ThreadPoolExecutor(1, "parser")

    def start(self) -> None:
        """Start the process before the first body comes; it takes a third of a second."""
        if self.process is not None and self.process.poll() is not None:
            self._end()
        if self.process is None:
            self.process = subprocess.Popen(
                module_command(__name__), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )

    def stop(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._end()

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                assert pipe is not None
                pipe.close()
        self.process = None

    async def parse(
        self, body: bytes, json_bytes: str | None, signature: Signature, max_batch: int
    ) -> Question:
        """As `protocol.parse`. Raises BadTensor and ParserLost."""
        asked = {
            "json_bytes": json_bytes,
            "max_batch": max_batch,
            "input_name": signature.input_name,
            "input_shape": signature.input_shape,
            "output_name": signature.output_name,
            "body_bytes": len(body),
        }
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._ask, asked, body)

    def _ask(self, asked: Mapping[str, Any], body: bytes) -> Question:
        self.start()
        assert self.process is not None
        to, back = self.process.stdin, self.process.stdout
        assert to is not None
        assert back is not None
        try:
            _write(to, asked, body)
            said = _read(back)
            if "bad" in said:
                raise BadTensor(said["bad"])
            batch = np.empty(said.pop("shape"), np.float32)
            _read_into(back, batch)
        except (EOFError, OSError) as error:
            self._end()
            raise ParserLost from error
        return Question(batch=batch, wanted=Wanted(**said.pop("wanted")), **said)


def _write(to: IO[bytes], head: Mapping[str, Any], tail: bytes | memoryview) -> None:
    for part in (orjson.dumps(head) + b"\n", tail):
        left = memoryview(part)
        while left:
            left = left[to.write(left) :]  # a pipe takes what it has room for
    to.flush()


def _read(back: IO[bytes]) -> dict[str, Any]:
    line = back.readline()
    if not line:
        raise EOFError
    head: dict[str, Any] = orjson.loads(line)
    return head


def _read_into(back: IO[bytes], batch: Floats) -> None:
    left = batch.reshape(-1).view(np.uint8).data
    while left:
        count = back.readinto(left)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        left = left[count:]


def _answer(asked: Mapping[str, Any], body: bytes, to: IO[bytes]) -> None:
    signature = Signature(
        input_name=asked["input_name"],
        input_shape=tuple(asked["input_shape"]),
        output_name=asked["output_name"],
        output_shape=(),
    )
    try:
        question = protocol.parse(body, asked["json_bytes"], signature, asked["max_batch"])
    except BadTensor as error:
        _write(to, {"bad": str(error)}, b"")
        return
    head = {name: getattr(question, name) for name in _BESIDE_BATCH}
    head["shape"] = question.batch.shape
    _write(to, head, np.ascontiguousarray(question.batch).data.cast("B"))


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to obey
    source, to = sys.stdin.buffer, sys.stdout.buffer
    while line := source.readline():
        asked = orjson.loads(line)
        body = source.read(asked["body_bytes"])
        if len(body) < asked["body_bytes"]:
            return
        _answer(asked, body, to)


if __name__ == "__main__":
    _main()
