"""Reader of logs that name their fields: W3C extended (IIS) and Amazon CloudFront."""

from infadapter_workload.formats.filters import wanted
from infadapter_workload.formats.left_out import LeftOut
from infadapter_workload.formats.moments import moment_ns
from infadapter_workload.formats.stamps import Stamps
from infadapter_workload.formats.stream import Line, Stream
from infadapter_workload.read_options import ReadOptions
from infadapter_workload.series import Series

FIELDS = "#Fields:"

_NAMES = {"cs-uri-stem": "path", "sc-status": "status", "cs-method": "method"}


def names_fields(stream: Stream) -> bool:
    return any(line.text.startswith(FIELDS) for line in stream.head(remarks=True)[:10])


def read_w3c(stream: Stream, options: ReadOptions, option: str = "") -> Series:
    """Read one request per line, in UTC. The server may change the fields within a file."""
    stamps, left_out = Stamps(options.to_s), LeftOut()
    names: list[str] = []
    for line in stream.all_lines(remarks=True):
        if line.text.startswith("#"):
            if line.text.startswith(FIELDS):
                names = line.text.removeprefix(FIELDS).split()
            continue
        _add(stamps, left_out, line, names, options)
        if stamps.enough():
            break
    left_out.check(stamps.count + left_out.others)
    stamps.notes += left_out.said()
    return stamps.series(stream, "a log with #Fields, a line for each request", "requests")


def _add(
    stamps: Stamps, left_out: LeftOut, line: Line, names: list[str], options: ReadOptions
) -> None:
    texts = line.text.split("\t" if "\t" in line.text else None)
    fields = {_NAMES.get(name, name): text for name, text in zip(names, texts, strict=False)}
    try:
        if len(texts) < len(names):
            raise ValueError("it is cut off")
        moment = moment_ns(f"{fields['date']} {fields['time']}")
    except (ValueError, KeyError):
        problem = f"there must be {len(names)} fields, a date and a time among them"
        left_out.add(line, problem, stamps.count + left_out.others)
        return
    if wanted(options.only, fields):
        stamps.add(moment, line)
    else:
        left_out.others += 1
