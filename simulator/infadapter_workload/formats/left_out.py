"""
Lines that are not requests: a few are left out and counted, many mean that the file is of another
kind.
"""

from dataclasses import dataclass, field

from infadapter_workload.formats.stream import Line, shown
from infadapter_workload.trace import TraceError

FEW = 3
SHARE = 0.01

_GIVE_UP = 1000


@dataclass(slots=True)
class LeftOut:
    """
    Count of the lines left out. `check` raises the first line's error if they are more than 3 and
    more than 1 % of all lines.
    """

    lines: int = 0
    first: Line | None = None
    error: TraceError | None = None
    others: int = 0  # excluded by --trace-only
    notes: list[str] = field(default_factory=list)

    def add(self, line: Line, problem: str, read: int) -> None:
        self.lines += 1
        if self.error is None:
            self.first, self.error = line, line.error(line.problem or problem)
        if self.lines > _GIVE_UP and self.lines > read:
            self.check(read)

    def check(self, read: int) -> None:
        allowed = max(FEW, SHARE * (read + self.lines))
        if self.error and (self.lines > allowed or self.lines >= read):
            more = (
                f"{str(self.error).removesuffix('.')}, and {self.lines - 1:,} more lines like it."
            )
            raise TraceError(more) if self.lines > 1 else self.error

    def said(self) -> list[str]:
        """Return notes on what was left out."""
        found = []
        if self.first:
            line = self.first
            seen = line.problem or shown(line.text)
            found.append(
                f"left out {self.lines:,} line{'s' if self.lines > 1 else ''} without a request, "
                f"the first is line {line.number:,}: {seen}"
            )
        if self.others:
            found.append(f"left out {self.others:,} requests by --trace-only")
        return found
