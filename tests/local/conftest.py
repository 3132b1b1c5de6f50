"""A tiny server in place of the model server: the same readiness and drain, no torch."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from infadapter_local.asking import short_session
from infadapter_local.cgroups import cpu_limits
from infadapter_local.processes import Processes
from infadapter_solver.problem import Target

TINY_SERVER = """
import os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

draining = False

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text=b""):
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.send_header("infadapter-variant", sys.argv[1])
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer(503 if draining else 200)

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.answer(200, sys.argv[1].encode())

    def log_message(self, *arguments):
        pass

def stop(*_):
    global draining
    draining = True
    threading.Timer(0.5, lambda: os._exit(0)).start()

signal.signal(signal.SIGTERM, stop)
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
server.serve_forever()
"""


@pytest.fixture
def tiny_server(tmp_path: Path) -> Callable[[Target, int], list[str]]:
    script = tmp_path / "tiny_server.py"
    script.write_text(TINY_SERVER)
    return lambda target, port: [sys.executable, "-S", str(script), target.variant, str(port)]


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    async with Processes(cpu_limits(), tmp_path / "logs") as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with short_session() as open_session:
        yield open_session
