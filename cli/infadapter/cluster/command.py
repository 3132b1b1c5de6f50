"""`infadapter profile --kubernetes`, from the pod template to the applied profile."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import click

from infadapter.cluster import clone as clones
from infadapter.cluster.generator import command, generate
from infadapter.cluster.kept import InCluster, InFile, Store, changes, with_measured
from infadapter.cluster.problems import CannotProfile, refused
from infadapter.cluster.resizing import resized
from infadapter.cluster.source import Source, find_source
from infadapter.profile_arguments import goals, writable
from infadapter.profile_here import STDOUT, plot
from infadapter.profile_options import PERCENTILE, Asked
from infadapter.stopping import stopped_by_signals
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.kube.client import Json, KubeApi, NoCluster, connect
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_profiles.document import ProfileDocument
from infadapter_profiles.files import ProfileFileError
from infadapter_profiles.quantities import cpu_quantity
from infadapter_profiles.sizes import CPU, PodSize
from infadapter_server.profiling.points import most_points

API_TIMEOUT_S = 20.0
_AGAIN = 2.0  # of --seconds: windows that were disturbed are taken again
_AROUND_S = 120.0
_NAME_CHARS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The values that are the same for all sizes."""

    api: KubeApi
    asked: Asked
    source: Source
    store: Store
    name: str

    @property
    def measuring_s(self) -> float:
        """The longest time for one size, s."""
        rows = most_points(self.asked.points)
        return _AROUND_S + self.asked.start_timeout + _AGAIN * rows * self.asked.seconds


def measure_in_cluster(asked: Asked) -> None:
    """Measure; without a result, end the command with a sentence and a status."""
    goals(asked.slos_ms, asked.percentile or PERCENTILE, asked.epsilon)
    if asked.output == STDOUT:
        raise click.UsageError("--kubernetes writes to the cluster, or with --output to a file.")
    if asked.output is not None:
        writable(asked.output)
    try:
        asyncio.run(_until_stopped(asked))
    except CannotProfile as problem:
        click.echo(f"infadapter: {problem}", err=True)
        raise SystemExit(problem.status) from problem
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("Interrupted; the sizes that were measured are kept.", err=True)
        raise SystemExit(130) from None


async def _until_stopped(asked: Asked) -> None:
    """Measure until a signal arrives, which otherwise would leave the clone until its deadline."""
    try:
        with stopped_by_signals():
            await measure(connect(API_TIMEOUT_S), asked)
    except NoCluster as error:
        raise CannotProfile(str(error)) from error
    except ApiRefusal as refusal:
        raise refused(refusal) from refusal
    except PlatformUnavailable as error:
        raise CannotProfile(f"The cluster can't be asked: {error}.", 1) from error
    except ProfileFileError as error:
        raise CannotProfile(str(error)) from error


async def measure(api: KubeApi, asked: Asked) -> None:
    """Measure. Raises CannotProfile, ApiRefusal, PlatformUnavailable or ProfileFileError."""
    assert asked.kubernetes is not None
    assert asked.namespace is not None
    source = await find_source(
        api, asked.namespace, asked.kubernetes, container=asked.container, port=asked.port
    )
    sizes = _sizes(asked, source)
    name = asked.name or source.profile
    store = _store(api, asked, asked.namespace, name)
    await store.check(await store.find())
    session = Session(api=api, asked=asked, source=source, store=store, name=name)
    while sizes:
        done = await _with_one_clone(session, sizes)
        sizes = sizes[done:]


def _store(api: KubeApi, asked: Asked, namespace: str, name: str) -> Store:
    if asked.output is None:
        return InCluster(api=api, namespace=namespace, name=name)
    return InFile(file=asked.output, namespace=namespace, name=name)


def _sizes(asked: Asked, source: Source) -> list[PodSize]:
    cpus = tuple(dict.fromkeys(asked.cpus)) or (source.resources.get(CPU, 0),)
    if not all(cpus):
        raise CannotProfile(
            f"The template of {asked.kubernetes} says no CPU for its container "
            f"{source.server.container}; --cpu gives it some."
        )
    resources = {**source.resources, **asked.resource}
    batch_size = asked.batch_sizes[0] if asked.batch_sizes else 1
    return [PodSize(resources={**resources, CPU: cpu}, batch_size=batch_size) for cpu in cpus]


async def _with_one_clone(session: Session, sizes: Sequence[PodSize]) -> int:
    """
    Measure as many of the sizes as one pod can take, at least the first, and return their number.
    """
    source, asked, api = session.source, session.asked, session.api
    name = f"{session.name[:_NAME_CHARS].rstrip('-')}-profile-{uuid4().hex[:5]}"
    what = f"a clone of {asked.kubernetes} with {cpu_quantity(sizes[0].resources[CPU])} CPU"
    _say(f"Job {name}: {what} …")
    async with clones.cloned(api, source, sizes[0], name, say=_say) as job:
        pod = await clones.ready(api, source, name, what, timeout_s=asked.start_timeout, say=_say)
        for number, size in enumerate(sizes):
            if number and (why := await resized(api, source, pod, size)):
                _say(f"The clone can't be resized ({why}); another is made.")
                break
            await _measure_size(session, job, pod, size, number)
        else:
            return len(sizes)
    await clones.gone(api, source.namespace, name)
    return number


async def _measure_size(session: Session, job: Json, pod: Json, size: PodSize, number: int) -> None:
    source, asked = session.source, session.asked
    live = clones.as_pod(pod, source)
    if live is None or not live.address:
        raise CannotProfile("The clone has no address.", 3)
    before = await session.store.find()
    told = await generate(
        session.api,
        source,
        command(
            asked,
            source,
            live.address,
            size.resources,
            _known(asked, pod, before),
            _points(asked, before),
        ),
        clone=job,
        clone_pod=pod,
        number=number,
        image=asked.image,
        start_timeout_s=asked.start_timeout,
        deadline_s=session.measuring_s,
        say=_say,
    )
    await _keep(session, before, told, f"node {pod['spec'].get('nodeName')}")


def _known(asked: Asked, pod: Json, before: ProfileDocument | None) -> dict[str, float]:
    """
    Return facts that the server may not report, or less well. A given accuracy takes precedence.
    """
    load_s = clones.load_s(pod) if asked.load_seconds is None else asked.load_seconds
    known = {"accuracy": asked.accuracy, "load_s": load_s}
    return {name: value for name, value in known.items() if value is not None}


def _points(asked: Asked, before: ProfileDocument | None) -> str | None:
    """Return the profile's operating points, so that all its sizes have the same."""
    had = before.profile.operating_points if before else ()
    if asked.points is None:
        return ",".join(point.name for point in had) or None
    return asked.points if isinstance(asked.points, str) else ",".join(asked.points)


async def _keep(
    session: Session, before: ProfileDocument | None, told: ProfileDocument, machine: str
) -> None:
    assert session.asked.namespace is not None
    document = with_measured(before, told, namespace=session.asked.namespace, machine=machine)
    await session.store.save(document)
    click.echo(f"{session.store}: {'changed' if before else 'created'}")
    rows = told.profile.allocations
    for line in changes(before.profile if before else None, document.profile, rows):
        click.echo(line)
    if session.asked.plot is not None:
        plot(Path(session.asked.plot), session.name, rows)


def _say(line: str) -> None:
    click.echo(line, err=True)
