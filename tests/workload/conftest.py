"""Read a trace from text as the command line does, or the error sentence if that fails."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from infadapter_workload.read_options import parse_options
from infadapter_workload.reading import read_trace
from infadapter_workload.trace import Trace, TraceError


class Reader(Protocol):
    def __call__(
        self, content: str | bytes, form: str | None = None, gaps: str = "ask", **said: str
    ) -> Trace: ...


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """A function that reads a file with this content; `said` are the options --trace-NAME."""

    def reader(
        content: str | bytes, form: str | None = None, gaps: str = "ask", **said: str
    ) -> Trace:
        path = tmp_path / "trace.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_trace(path, format=form, options=parse_options({**said, "gaps": gaps}))

    return reader


@pytest.fixture
def asks(read: Reader) -> Callable[..., str]:
    """A function that returns the single sentence with which the content is refused."""

    def sentence(content: str | bytes, form: str | None = None, **said: str) -> str:
        with pytest.raises(TraceError) as caught:
            read(content, form, **said)
        assert re.fullmatch(r"[^\n]+\.", str(caught.value))
        return str(caught.value)

    return sentence
