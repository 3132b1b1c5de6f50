"""Evaluate a watch of pods and services: cores held, and when the plan was reached."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infadapter_operator.domain.names import SERVICE_LABEL
from infadapter_profiles.quantities import cpu_millicores
from tests.e2e.kube import Seen
from tests.e2e.live import cpu_in_force_m, cpu_wanted_m, key_of, labels_key, variant_of
from tests.e2e.services import is_ready

Json = dict[str, Any]
ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of one service and its pods from `at_s` until the next Moment."""

    at_s: float
    service: Json
    pods: Mapping[str, Json]

    @property
    def status(self) -> Json:
        status: Json = self.service.get("status") or {}
        return status

    @property
    def plan(self) -> Json:
        plan: Json = self.status.get("plan") or {}
        return plan

    @property
    def held_m(self) -> int:
        """CPU held by pods, terminating ones too: the larger of request and limit in force."""
        return sum(
            max(cpu_wanted_m(pod), cpu_in_force_m(pod))
            for pod in self.pods.values()
            if pod["status"].get("phase") not in ENDED
        )

    @property
    def told(self) -> str:
        """Each pod with its CPU request and the limit in force, for a log."""
        return ", ".join(
            f"{name} {cpu_wanted_m(pod)}/{cpu_in_force_m(pod)}m {'Ready' * (name in self.ready)}"
            for name, pod in sorted(self.pods.items())
        )

    @property
    def ready(self) -> set[str]:
        return {
            name
            for name, pod in self.pods.items()
            if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
        }

    def condition(self, kind: str) -> Json:
        found = (c for c in self.status.get("conditions") or () if c["type"] == kind)
        return next(found, {})

    @property
    def is_as_planned(self) -> bool:
        """Whether status and pods agree with the plan: number, readiness, size in force."""
        progressing = self.condition("Progressing")
        says_so = (progressing.get("status"), progressing.get("reason")) == ("False", "AsPlanned")
        return says_so and self._planned() == sorted(map(_shape, self.pods.values()))

    def _planned(self) -> list[tuple[object, ...]]:
        return sorted(
            (*key_of(p), True, size_m := cpu_millicores(p["resources"]["cpu"]), size_m)
            for p in self.plan.get("allocations", ())
            for _ in range(p["pods"])
        )


def _shape(pod: Json) -> tuple[object, ...]:
    stays = is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
    return (*labels_key(pod), stays, cpu_wanted_m(pod), cpu_in_force_m(pod))


def moments(seen: Sequence[Seen], name: str) -> list[Moment]:
    """Return a Moment for each event of the service and of its servers' pods."""
    return list(_moments(seen, name))


def _moments(seen: Sequence[Seen], name: str) -> Iterator[Moment]:
    service: Json = {}
    pods: dict[str, Json] = {}
    for one in seen:
        labels = one.object["metadata"].get("labels") or {}
        if one.kind == "inferenceservices" and one.name == name:
            service = one.object
        elif one.kind == "pods" and labels.get(SERVICE_LABEL) == name and variant_of(one.object):
            pods = {k: v for k, v in pods.items() if k != one.name}
            pods |= {} if one.event == "DELETED" else {one.name: one.object}
        else:
            continue
        yield Moment(one.at_s, service, pods)


def since(found: Sequence[Moment], at_s: float) -> list[Moment]:
    """Return the moments from `at_s` on, and first the one in force then."""
    before = [one for one in found if one.at_s < at_s][-1:]
    return [*before, *(one for one in found if one.at_s >= at_s)]


def longest_above_s(found: Sequence[Moment], limit_m: int, end_s: float) -> float:
    """Return the longest time without a break for which more than `limit_m` was held."""
    longest_s, began_s = 0.0, None
    for one in found:
        if one.held_m > limit_m:
            began_s = one.at_s if began_s is None else began_s
        elif began_s is not None:
            longest_s, began_s = max(longest_s, one.at_s - began_s), None
    return longest_s if began_s is None else max(longest_s, end_s - began_s)


def created(found: Sequence[Moment], after_s: float) -> dict[str, int]:
    """Count the pods created after `after_s` by variant; creation times are whole seconds."""
    made = {
        (variant_of(pod), name)
        for one in found
        for name, pod in one.pods.items()
        if datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).timestamp() >= int(after_s)
    }
    counts: dict[str, int] = {}
    for variant, _ in made:
        counts[str(variant)] = counts.get(str(variant), 0) + 1
    return counts


def messages(found: Sequence[Moment], kind: str) -> list[str]:
    """Return the successive messages of a condition, to explain a failure."""
    said = [
        f"{c.get('status')} {c.get('reason')}: {c.get('message')}"
        for c in (one.condition(kind) for one in found)
    ]
    return [text for n, text in enumerate(said) if n == 0 or said[n - 1] != text]


def log_of(found: Sequence[Moment], start_s: float) -> str:
    """Return the messages of the rollout and the CPU held over time, to explain a failure."""
    held = [f"{one.at_s - start_s:7.2f} s: {one.held_m}m held, {one.told}" for one in found]
    return "\n".join([*messages(found, "Progressing"), *messages(found, "Ready"), *held])
