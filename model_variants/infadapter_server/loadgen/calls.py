"""One request under way: the bytes that are sent, and what became of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from infadapter_workload.outcomes import NO_ANSWER, Outcome


class Closable(Protocol):
    """What a call is under way on."""

    def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class Call:
    """One request under way; times are those of `time.monotonic`."""

    request: bytes
    scheduled_s: float
    sent_s: float
    on_done: Callable[["Call"], None]
    code: int = NO_ANSWER
    variant: str | None = None
    point: str | None = None
    error: str | None = None
    done_s: float | None = None
    connection: Closable | None = None

    def finish(self, *, error: str | None = None) -> None:
        self.connection = None
        self.error = error
        self.done_s = time.monotonic()
        self.on_done(self)


def prepare(
    *, host: str, port: int, path: str, bodies: Sequence[bytes], headers: Mapping[str, str]
) -> list[bytes]:
    """Return whole POST requests, head and body, ready to be written.

    Raises ValueError when there is no body, or a path or header would break the request apart.
    """
    if not bodies:
        raise ValueError("There must be at least one request body.")
    fields = {"host": f"{host}:{port}", "content-type": "application/json", **headers}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if any(not line.isprintable() for line in lines) or " " in path:
        raise ValueError("The path and the headers must be printable, the path without spaces.")
    head = "\r\n".join(lines).encode("latin-1")
    return [b"%b\r\ncontent-length: %d\r\n\r\n%b" % (head, len(body), body) for body in bodies]


def outcome_of(call: Call, start_s: float) -> Outcome:
    """Return what became of a finished call, with its times counted from start_s."""
    assert call.done_s is not None
    return Outcome(
        scheduled_s=call.scheduled_s - start_s,
        sent_s=call.sent_s - start_s,
        done_s=call.done_s - start_s,
        code=call.code,
        variant=call.variant,
        error=call.error,
        point=call.point,
    )
