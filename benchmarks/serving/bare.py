"""The bare HTTP stack: uvloop and httptools, which say the same bytes to everybody."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.serving.runs import pin

BARE = """
import asyncio, httptools, uvloop
ANSWER = (b"HTTP/1.1 503 Service Unavailable\\r\\ncontent-type: application/json\\r\\n"
          b"retry-after: 1\\r\\ncontent-length: 45\\r\\n\\r\\n" + b"x" * 45)
class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.parser = transport, httptools.HttpRequestParser(self)
    def data_received(self, data):
        self.parser.feed_data(data)
    def on_message_complete(self):
        self.transport.write(ANSWER)
async def main():
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(Connection, "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()
uvloop.run(main())
"""


@contextmanager
def bare() -> Iterator[tuple[int, int]]:
    """Its port and its process."""
    process = subprocess.Popen(
        [sys.executable, "-c", BARE],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: pin(0),
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
    finally:
        process.kill()
        process.communicate()
