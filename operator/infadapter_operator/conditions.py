"""The conditions of a service: what a user, a dashboard and `kubectl wait` may rely on."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`message` is stable: it changes with what it says, never with every tick."""

    type: str
    status: Status
    reason: str
    message: str
