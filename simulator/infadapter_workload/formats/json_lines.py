"""JSON lines: an object for each request, as Envoy, Caddy, nginx and traces of LLMs are written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from infadapter_workload.asked import Asked
from infadapter_workload.formats.clocks import clock_of
from infadapter_workload.formats.dates import Clock, Unsure
from infadapter_workload.formats.filters import wanted
from infadapter_workload.formats.left_out import LeftOut
from infadapter_workload.formats.names import COUNT_KINDS, Kind, of_values
from infadapter_workload.formats.stamps import Stamps
from infadapter_workload.formats.stream import Line, Stream, shown
from infadapter_workload.series import Series

_TIMES = (
    *("start_time", "StartUTC", "request_start", "start_timestamp", "time_iso8601", "@timestamp"),
    *("timestamp", "timestamp_ms", "timestamp_us", "timestamp_ns", "ts", "msec", "time_local"),
    *("time", "datetime", "date", "eventTime", "arrived_at", "arrival_time", "arrival", "t"),
)
_PATHS = ("path", "request_uri", "uri", "url", "RequestPath", "requestUrl", "http_path")
_STATUSES = ("status", "response_code", "DownstreamStatus", "code", "status_code")
_METHODS = ("method", "request_method", "RequestMethod", "requestMethod")
_MOONCAKE = {"timestamp", "input_length", "output_length", "hash_ids"}

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Form:
    time: str
    clock: Clock


def objects_in(stream: Stream) -> list[Object]:
    """Those of the first lines that are one."""
    found = (_object(line.text) for line in stream.head()[:200])
    return [each for each in found if each is not None]


def read_json_lines(stream: Stream, asked: Asked, option: str = "") -> Series:
    """One request a line; what a server says of itself between them is left out."""
    form = _form(stream, replace(asked, time=option) if option else asked)
    stamps, left_out = Stamps(asked.to_s), LeftOut()
    for line in stream.all_lines():
        moment = _moment(line, form)
        if isinstance(moment, str):
            left_out.add(line, moment, stamps.count + left_out.others)
        elif asked.only and not wanted(asked.only, fields_of(_object(line.text) or {})):
            left_out.others += 1
        else:
            stamps.add(moment, line)
        if stamps.enough():
            break
    left_out.check(stamps.count + left_out.others)
    stamps.notes += left_out.said()
    said = f"JSON lines, one for each request, its time {shown(form.time)} {form.clock.said}"
    return stamps.series(stream, said, "requests")


def fields_of(found: Object) -> dict[str, str]:
    """`path`, `status` and `method` under the names that servers give them, and all others."""
    flat: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, Mapping):
            flat |= {str(key): str(each) for key, each in value.items()}
        else:
            flat[name] = str(value)
    for name, names in (("path", _PATHS), ("status", _STATUSES), ("method", _METHODS)):
        flat[name] = next((flat[each] for each in names if each in flat), "")
    flat["path"] = flat["path"].partition("?")[0]
    return flat


def _form(stream: Stream, asked: Asked) -> _Form:
    found = [each for each in objects_in(stream) if not _is_message(each)]
    time = asked.time or next((each for each in _TIMES if any(each in one for one in found)), None)
    texts = [str(one[time]) for one in found if time in one] if time else []
    if not time or not texts:
        names = ", ".join(map(shown, list(found[0])[:8])) if found else "none"
        raise stream.error(
            f"is JSON lines without a surely named time: say --trace-columns time=NAME; its names "
            f"are {names}"
        )
    _refuse_counts(stream, found[0], time)
    if asked.unit is None and all(one.keys() == _MOONCAKE for one in found):
        asked = replace(asked, unit="ms")  # as its authors say
    try:
        clock = clock_of(texts, time, asked)
    except Unsure as unsure:
        raise stream.error(f"is not surely understood: {unsure}") from None
    _refuse_unsure(stream, clock, texts, time, asked)
    return _Form(time, clock)


def _refuse_unsure(stream: Stream, clock: Clock, texts: list[str], time: str, asked: Asked) -> None:
    """Whole numbers from a start, as `timestamp`, are seconds in some traces and ms in others."""
    if clock.absolute or asked.unit or clock.said.split()[0] != "seconds":
        return
    if all(text.lstrip("-").isdigit() for text in texts):
        raise stream.error(
            f"has times {shown(time)} that count from a start, in seconds or milliseconds: say "
            "--trace-unit s or ms"
        )


def _refuse_counts(stream: Stream, first: Object, time: str) -> None:
    for name, value in first.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and name != time and of_values(name).kind in (Kind.RATE, *COUNT_KINDS):
            raise stream.error(
                f"has numbers of requests, {shown(name)}, in its JSON lines: write them as a table "
                "in CSV, such as with jq -r '[.time,.requests]|@csv'"
            )


def _moment(line: Line, form: _Form) -> int | str:
    found = _object(line.text)
    if found is None:
        return f"there is no JSON object in {shown(line.text)}"
    if form.time not in found or _is_message(found):
        return f"there is no time of a request in {shown(line.text)}"
    try:
        return form.clock.ns(str(found[form.time]))
    except ValueError:
        return f"{shown(str(found[form.time]))} is not a time"


def _is_message(found: Object) -> bool:
    """Of a server about itself: it has a level, and names no request."""
    about = {"request", "status", "method", "path", "response_code", "uri", "request_uri"}
    return "level" in found and not about & found.keys()


def _object(text: str) -> Object | None:
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
