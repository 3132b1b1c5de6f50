"""
Reader of one object per request: JSON, as Envoy, Caddy, nginx and traces of LLMs write it, or
logfmt.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from infadapter_workload.formats.clocks import detect_clock
from infadapter_workload.formats.dates import Clock, Unsure
from infadapter_workload.formats.filters import wanted
from infadapter_workload.formats.json_objects import (
    Object,
    fields_of,
    is_message,
    object_of,
    objects_in,
    value_at,
)
from infadapter_workload.formats.left_out import LeftOut
from infadapter_workload.formats.logs import PROBES, probes_said
from infadapter_workload.formats.names import COUNT_KINDS, Kind, meaning_of_name, words_of
from infadapter_workload.formats.stamps import Stamps
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.series import Series

_TIMES = (
    *("start_time", "StartUTC", "request_start", "start_timestamp", "time_iso8601", "@timestamp"),
    *("timestamp", "timestamp_ms", "timestamp_us", "timestamp_ns", "ts", "msec", "time_local"),
    *("time", "datetime", "date", "eventTime", "arrived_at", "arrival_time", "arrival", "t"),
)
_OF_TIME = {"time", "timestamp", "date", "datetime", "at", "stamp", "epoch", "ts"}
_STARTS = {"start", "started", "begin", "began", "received", "arrived", "arrival"}
_ENDS = {"end", "ended", "finish", "finished", "expires", "expiry", "logged", "ingested"}
_MOONCAKE = {"timestamp", "input_length", "output_length", "hash_ids"}


@dataclass(frozen=True, slots=True)
class _Form:
    said: str
    time: str
    clock: Clock
    each: bool  # every line is a request, even if it looks like a server's message


def read_json_lines(stream: Stream, options: ReadOptions, option: str = "") -> Series:
    """Read one request per line. Messages of the server about itself are left out."""
    form = _form(stream, replace(options, time=option) if option else options)
    stamps, left_out, seen = Stamps(options.to_s), LeftOut(), Counter[str]()
    for line in stream.all_lines():
        found = object_of(line.text)
        if options.only and found is not None and not wanted(options.only, fields_of(found)):
            left_out.others += 1
            continue
        moment = _moment(line, found, form)
        if isinstance(moment, str):
            left_out.add(line, moment, stamps.count + left_out.others)
        else:
            stamps.add(moment, line)
            seen["probes"] += PROBES.search(line.text) is not None
        if stamps.enough():
            break
    left_out.check(stamps.count + left_out.others)
    stamps.notes += [*left_out.said(), *probes_said(seen["probes"])]
    said = f"{form.said}, one for each request, its time {shown(form.time)} {form.clock.said}"
    return stamps.series(stream, said, "requests")


def _form(stream: Stream, options: ReadOptions) -> _Form:
    whole = objects_in(stream)
    found = whole if options.time else [each for each in whole if not is_message(each)]
    said = "JSON lines" if stream.starts_with(b"{") else "lines of NAME=VALUE"
    if whole and not found:
        raise stream.error(
            "holds messages of a server, with a level and without a request: say --trace-format "
            "json-lines:NAME, the name of their time, if each is one"
        )
    time = options.time or _named(found) or _surely(found)
    texts = [str(text) for one in found if time and (text := value_at(one, time)) is not None]
    if not time or not texts:
        names = ", ".join(map(shown, list(found[0])[:8])) if found else "none"
        raise stream.error(
            f"is {said} without a name that is clearly a time: say --trace-columns "
            f"time=NAME, or time=A.B of one within another; its names are {names}"
        )
    _refuse_counts(stream, found[0], time)
    if options.unit is None and all(one.keys() == _MOONCAKE for one in found):
        options = replace(options, unit="ms")  # documented by the authors of these traces
    try:
        clock = detect_clock(texts, time, options)
    except Unsure as unsure:
        raise stream.error(f"is ambiguous: {unsure}") from None
    _refuse_unsure(stream, clock, texts, time, options)
    return _Form(said, time, clock, each=options.time is not None)


def _named(found: Sequence[Object]) -> str | None:
    return next((each for each in _TIMES if any(each in one for one in found)), None)


def _surely(found: Sequence[Object]) -> str | None:
    """Return the name of the only point in time, or of the only one that is named as a start."""
    if not found:
        return None
    points = [name for name, value in found[0].items() if _is_point(name, str(value))]
    starts = [name for name in points if _STARTS & {*words_of(name)}]
    certain = starts if len(points) > 1 else points
    return certain[0] if len(certain) == 1 else None


def _is_point(name: str, text: str) -> bool:
    words = {*words_of(name)}
    if not _OF_TIME & words or _ENDS & words:
        return False
    try:
        return detect_clock([text], "", ReadOptions()).absolute
    except ValueError:
        return False


def _refuse_unsure(
    stream: Stream, clock: Clock, texts: list[str], time: str, options: ReadOptions
) -> None:
    """
    Raise TraceError for whole numbers that count from a start: in some traces `timestamp` is in
    seconds, in others in milliseconds.
    """
    if clock.absolute or options.unit or clock.said.split()[0] != "seconds":
        return
    if all(text.lstrip("-").isdigit() for text in texts):
        raise stream.error(
            f"has times {shown(time)} that count from a start, in seconds or milliseconds: say "
            "--trace-unit s or ms"
        )


def _refuse_counts(stream: Stream, first: Object, time: str) -> None:
    for name, value in first.items():
        number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        if number and name != time and meaning_of_name(name).kind in (Kind.RATE, *COUNT_KINDS):
            raise stream.error(
                f"has numbers of requests, {shown(name)}, in its JSON lines: write them as a table "
                "in CSV, such as with jq -r '[.time,.requests]|@csv'"
            )


def _moment(line: Line, found: Object | None, form: _Form) -> int | str:
    if found is None:
        return f"there is no object in {shown(line.text)}"
    text = value_at(found, form.time)
    if text is None or (not form.each and is_message(found)):
        return f"there is no time of a request in {shown(line.text)}"
    try:
        return form.clock.ns(str(text))
    except ValueError:
        return f"{shown(str(text))} is not a time"
