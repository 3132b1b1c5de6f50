"""Where profiles are stored: as VariantProfiles in the cluster, or in a file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Protocol

from infadapter.cluster.problems import CannotProfile, refused
from infadapter_operator.domain.names import GROUP, PROFILES, VERSION
from infadapter_operator.kube.client import KubeApi
from infadapter_operator.kube.paths import custom
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_profiles.document import (
    MalformedProfile,
    ProfileDocument,
    read_document,
    write_document,
)
from infadapter_profiles.files import find_profile, save_profile
from infadapter_profiles.profile import KnownCapacity, Profile, ProfiledAllocation, size_text
from infadapter_profiles.sizes import PodSize
from infadapter_server.profiling.about import with_points
from infadapter_server.profiling.percentiles import same_row, with_allocation

_CONFLICT = (
    "{why}: somebody else applied these fields. --output writes a file, which "
    "`kubectl apply --server-side --force-conflicts` takes."
)


class Store(Protocol):
    """Stores profiles."""

    async def find(self) -> ProfileDocument | None: ...
    async def check(self, before: ProfileDocument | None) -> None: ...
    async def save(self, document: ProfileDocument) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InCluster:
    """Stores by server-side apply, without taking over fields of other managers."""

    api: KubeApi
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"variantprofile/{self.name} in namespace {self.namespace}"

    @property
    def _path(self) -> str:
        return custom(GROUP, VERSION, self.namespace, PROFILES, self.name)

    async def find(self) -> ProfileDocument | None:
        found = await self.api.get(self._path)
        try:
            return None if found is None else read_document(found)
        except MalformedProfile as error:
            raise CannotProfile(f"{self} can't be added to: {error}.") from error

    async def check(self, before: ProfileDocument | None) -> None:
        """Check before measuring that the profile may be written."""
        await self._apply(before or _example(self.name, self.namespace), dry_run=True)

    async def save(self, document: ProfileDocument) -> None:
        """Write the profile; on failure keep it in a file, since it took minutes to measure."""
        try:
            await self._apply(document)
        except Exception as error:
            file = Path(f"{self.name}.yaml")
            save_profile(file, document)
            raise CannotProfile(f"{error} What was measured is in {file}.", 1) from error

    async def _apply(self, document: ProfileDocument, *, dry_run: bool = False) -> None:
        query = {"dryRun": "All"} if dry_run else {}
        try:
            await self.api.apply(self._path, write_document(document), query=query)
        except ApiRefusal as refusal:
            if refusal.is_conflict:
                raise CannotProfile(_CONFLICT.format(why=refusal.message)) from refusal
            if refusal.status == 404:
                raise CannotProfile(
                    f"{self} can't be written: there is no such namespace, or the cluster has no "
                    "VariantProfiles (install the chart, or give --output)."
                ) from refusal
            raise refused(refusal) from refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class InFile:
    file: Path
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"

    async def find(self) -> ProfileDocument | None:
        return find_profile(self.file, self.name, self.namespace)

    async def check(self, before: ProfileDocument | None) -> None:
        return None

    async def save(self, document: ProfileDocument) -> None:
        save_profile(self.file, document)


def with_measured(
    before: ProfileDocument | None, told: ProfileDocument, *, namespace: str, machine: str
) -> ProfileDocument:
    """
    Return the printed profile with the rows that were known before. Raises CannotProfile if only
    one of the two has operating points.
    """
    if before is not None:
        _check_points(before.profile, told.profile)
    known = before.profile if before else replace(told.profile, allocations=())
    profile = replace(told.profile, allocations=known.allocations)
    if told.profile.operating_points:
        own = replace(profile, operating_points=known.operating_points)
        profile = with_points(own, told.profile.operating_points)
    profile = reduce(with_allocation, told.profile.allocations, profile)
    return replace(told, profile=profile, namespace=namespace, machine=machine)


def _check_points(before: Profile, told: Profile) -> None:
    """
    Check the operating points; the profiler itself reports a point that the server does not know.
    """
    if before.allocations and bool(before.operating_points) != bool(told.operating_points):
        had, has = ("", "none") if before.operating_points else ("no ", "some")
        raise CannotProfile(
            f"The profile {told.variant} has {had}operating points and the server has {has}: "
            "give it another --name."
        )


def changes(
    before: Profile | None, after: Profile, rows: Sequence[ProfiledAllocation]
) -> list[str]:
    """Return a line for each changed row."""
    lines = [line for row in rows for line in _row_changes(before, row)]
    was = (before.accuracy, before.load_time_s) if before else (None, None)
    now = (after.accuracy, after.load_time_s)
    for what, old_value, new_value in zip(("accuracy", "load time, s"), was, now, strict=True):
        if old_value != new_value:
            lines.append(_change(what, old_value, new_value))
    return lines


def _row_changes(before: Profile | None, row: ProfiledAllocation) -> list[str]:
    old = next(
        (each for each in (before.allocations if before else ()) if same_row(each, row)), None
    )
    point = "" if row.operating_point is None else f", {row.operating_point}"
    lines = [f"{size_text(row.size)}{point}: {'replaced' if old else 'added'}"]
    saturation = old.saturation_rps if old else None
    lines.append(_change("saturation", saturation, row.saturation_rps))
    for known in row.capacity:
        earlier = old.capacity if old else ()
        same = next((k.rps for k in earlier if _goal(k) == _goal(known)), None)
        slo = f"capacity at p{known.percentile:g} ≤ {1000 * known.latency_s:g} ms"
        lines.append(_change(slo, same, known.rps))
    return lines


def _goal(known: KnownCapacity) -> tuple[float, float]:
    return known.latency_s, known.percentile


def _change(what: str, was: float | None, is_now: float | None) -> str:
    old = "" if was is None else f"{was:.4g} → "
    return f"  {what}: {old}{0 if is_now is None else is_now:.4g}"


def _example(name: str, namespace: str) -> ProfileDocument:
    """Return a valid profile to test whether one may be written."""
    capacity = KnownCapacity(latency_s=1.0, percentile=99.0, rps=1.0)
    allocation = ProfiledAllocation(size=PodSize(resources={"cpu": 1000}), capacity=(capacity,))
    profile = Profile(variant=name, accuracy=0.5, load_time_s=1.0, allocations=(allocation,))
    return ProfileDocument(profile=profile, namespace=namespace)
