"""Requests per second: one number a line, or a table of times and numbers of requests."""

from array import array
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from infadapter_workload.formats.fields import (
    delimiter_of,
    is_header,
    requests,
    split,
)
from infadapter_workload.formats.moments import SECOND_NS, moment_ns
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.trace import MAX_SECONDS, Trace

_LONGEST_STEP_S = 86_400
_COUNT_WORDS = ("request", "count", "number", "value")
_RATE_WORDS = ("rps", "qps", "rate", "per_second", "/s")


def read_rates(stream: Stream, option: str = "") -> Trace:
    """One number a line, a second each, with or without a header."""
    rates = array("d")
    for index, line in enumerate(stream.lines()):
        if index or not is_header([line.text]):
            rates.append(requests(line, line.text))
        _check_length(line, len(rates))
    if not rates:
        raise stream.error("holds no numbers")
    return per_second_trace(stream.name, rates)


def read_table(stream: Stream, option: str = "") -> Trace:
    """
    Two columns, a time and the requests from it to the next, evenly spaced, with or without names.

    Steps of more than a second are spread evenly, and then not counted. A second column whose name
    speaks of a rate holds requests per second, whatever the step is.
    """
    table = _Table()
    for index, line in enumerate(stream.lines()):
        fields = split(line.text, delimiter_of(line.text) or ",")
        if len(fields) != 2:
            raise line.error(f"there must be two columns, a time and a number, not {len(fields)}")
        if index == 0 and is_header(fields):
            table.rates = any(word in fields[1].lower() for word in _RATE_WORDS)
        else:
            table.add(line, *fields)
    if not table.numbers:
        raise stream.error("holds no numbers")
    return table.trace(stream.name)


def names_load(name: str) -> bool:
    """Whether a column of this name holds numbers of requests."""
    return any(word in name.lower() for word in (*_COUNT_WORDS, *_RATE_WORDS))


def advance_by_seconds(times: list[str]) -> bool:
    """Whether each is some whole seconds after the one before, as no requests' own times are."""
    try:
        moments = [moment_ns(time) for time in times]
    except ValueError:
        return False
    steps = [later - earlier for earlier, later in pairwise(moments)]
    return all(step > 0 and step % SECOND_NS == 0 for step in steps)


def per_second_trace(name: str, rates: "array[float]") -> Trace:
    values = np.array(rates)
    return Trace(name=name, rates=values, counted=not (values % 1).any())


def spread(name: str, numbers: "array[float]", step_s: int, what: str = "counts") -> Trace:
    """A rate for each second, of rates that each hold for a step."""
    note = f"its {what} of {step_s} s are spread evenly over them"
    return Trace(name=name, rates=np.repeat(np.array(numbers), step_s), notes=(note,))


@dataclass(slots=True)
class _Table:
    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    rates: bool = False
    step_s: int = 1  # known from the second row on
    first: tuple[Line, str] | None = None
    first_ns: int = 0
    last: str = ""

    def add(self, line: Line, time: str, number: str) -> None:
        moment = _moment(line, time)
        if not self.numbers:
            self.first, self.first_ns = (line, number), moment
        elif len(self.numbers) == 1:
            self.step_s = self._step_s(line, time, moment - self.first_ns)
        else:
            self._check_time(line, time, moment)
        self.last = time
        limit_s = self._counted_s if self.numbers else _LONGEST_STEP_S
        self.numbers.append(requests(line, number, limit_s))
        _check_length(line, len(self.numbers) * self.step_s)

    def trace(self, name: str) -> Trace:
        if self.first:  # only now its step is known
            requests(*self.first, self._counted_s)
        if self.step_s == 1:
            return per_second_trace(name, self.numbers)
        if self.rates:
            return spread(name, self.numbers, self.step_s, "rates")
        each = array("d", (number / self.step_s for number in self.numbers))
        return spread(name, each, self.step_s)

    @property
    def _counted_s(self) -> int:
        """How many seconds' requests a number holds."""
        return 1 if self.rates else self.step_s

    def _step_s(self, line: Line, time: str, step_ns: int) -> int:
        if step_ns <= 0:
            raise line.error(f"the time {shown(time)} does not come after {shown(self.last)}")
        if step_ns % SECOND_NS or step_ns > _LONGEST_STEP_S * SECOND_NS:
            raise line.error(
                f"the time {shown(time)} must be a whole number of seconds, and no more than a "
                f"day, after {shown(self.last)}"
            )
        return step_ns // SECOND_NS

    def _check_time(self, line: Line, time: str, moment_ns: int) -> None:
        late_ns = moment_ns - self.first_ns - len(self.numbers) * self.step_s * SECOND_NS
        if late_ns <= -self.step_s * SECOND_NS:
            raise line.error(f"the time {shown(time)} does not come after {shown(self.last)}")
        if late_ns:
            raise line.error(
                f"the time {shown(time)} does not follow {shown(self.last)} by {self.step_s} s; "
                "one without requests must be listed with 0"
            )


def _moment(line: Line, text: str) -> int:
    try:
        return moment_ns(text)
    except ValueError:
        raise line.error(f"{shown(text)} is not a time") from None


def _check_length(line: Line, seconds: int) -> None:
    if seconds > MAX_SECONDS:
        raise line.error(f"the trace is longer than {MAX_SECONDS:,} s")
