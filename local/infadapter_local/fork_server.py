"""
Forks model servers off a process that has imported torch already; run by `fork_client`.

A server takes two seconds of CPU to import torch, and a demo in which a minute stands for twenty
must not wait for it: its pods start in tenths of a second. What is forked is the server itself,
with a control group, a session and a log of its own.

Orders come as JSON lines; `ready`, `started NUMBER PID` and `ended PID STATUS` lines go back.
"""

import gc
import json
import os
import select
import signal
import sys
from typing import Any

from infadapter_local.launch import enter

_INPUT = 0


def main() -> None:
    """Serve orders until the input ends."""
    serve = _import_server()
    woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    _tell("ready")
    rest = b""
    while True:
        readable, _, _ = select.select([_INPUT, woken], [], [])
        if woken in readable:
            os.read(woken, 4096)
            _tell_ended()
        if _INPUT in readable:
            chunk = os.read(_INPUT, 65536)
            if not chunk:
                return
            *orders, rest = (rest + chunk).split(b"\n")
            for order in orders:
                _start(json.loads(order), serve)


def _import_server() -> Any:
    """Import all that a server needs, and return what runs one; a fork has no other threads."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import infadapter_server.networks.models  # noqa: F401  torch, which takes seconds
    from infadapter_server.serving.command import command

    del os.environ["OMP_NUM_THREADS"]
    gc.collect()
    gc.freeze()  # what is shared stays shared
    return command


def _start(order: dict[str, Any], serve: Any) -> None:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become_server(order, serve, parent)
    _tell(f"started {order['number']} {pid}")


def _become_server(order: dict[str, Any], serve: Any, parent: int) -> None:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), _INPUT)
        enter(parent, order["group"], order["core"])
        sys.argv = order["command"]
        code = serve()
    finally:
        os._exit(code)


def _tell_ended() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(f"ended {pid} {os.waitstatus_to_exitcode(status)}")


def _tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    main()
