"""An open batch: accepted requests of one model that are planned to run together."""

from dataclasses import dataclass, field
from operator import sub

from infadapter_scheduler.model import Costs


@dataclass(slots=True, eq=False)
class Request:
    """An accepted request. It must complete a safety buffer before its deadline."""

    number: int
    model: str
    deadline_s: float
    due_s: float
    batch: "Batch | None" = None  # None: it was sent


@dataclass(slots=True, eq=False)
class Batch:
    """
    An open batch, which grows until it runs.

    Its work is the time of its members or, if longer, the time of the size it has room to grow to;
    plus the time for which the executor may have to wait for its weights.
    """

    costs: Costs
    executor: str
    cap: int
    key_s: float  # its position: the earliest deadline when it was opened
    limit_s: float = 0.0  # the time by which it must be complete
    target: int = 0  # the size for which room is reserved
    released_s: float = 0.0  # when its weights are loaded
    waiting_s: float = 0.0
    deferred: bool = False  # the load of its weights is yet to be sent, and what it waits for
    trial: bool = False  # late as estimated: it is to show whether that is so
    closed: bool = False  # nobody joins any more: its model is to be unloaded
    members: list[Request] = field(default_factory=list)  # the earliest due first
    work_s: float = 0.0
    model: str = field(init=False)

    def __post_init__(self) -> None:
        self.model = self.costs.model.name

    def work_with(self, more: int) -> float:
        size = len(self.members) + more
        reserved_s = self.costs.growing_s[self.target] if size < self.cap else 0.0
        split_s = self.costs.split_s[size]
        return (reserved_s if reserved_s > split_s else split_s) + self.waiting_s

    def latest_start_s(self, members: list[Request]) -> float:
        """
        Return the latest start for these members. Later members are due later, and may be served by
        a later part of the split.
        """
        dues_s = [member.due_s for member in members]
        latest_s: float = min(map(sub, dues_s, self.costs.ends_s[len(members)]))
        return latest_s

    def with_one(self, request: Request) -> list[Request]:
        """Return the members and the request in the order of their deadlines."""
        members = [*self.members, request]
        if len(members) > 1 and members[-2].deadline_s > request.deadline_s:
            members.sort(key=lambda member: member.deadline_s)
        return members

    def become(
        self,
        members: list[Request],
        latest_start_s: float | None = None,
        work_s: float | None = None,
    ) -> None:
        """Set the members, with their latest start and work if these are known."""
        self.members = members
        self.work_s = self.work_with(0) if work_s is None else work_s
        if members:
            if latest_start_s is None:
                latest_start_s = self.latest_start_s(members)
            self.limit_s = latest_start_s + self.work_s - self.waiting_s

    def take(self, size: int) -> list[Request]:
        """
        Remove and return the first members for the executor; the rest remains a batch that is due
        later.
        """
        taken, rest = self.members[:size], self.members[size:]
        for request in taken:
            request.batch = None
        self.target, self.waiting_s = 0, 0.0
        self.key_s = rest[0].deadline_s if rest else self.key_s
        self.become(rest)
        return taken
