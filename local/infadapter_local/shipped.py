"""
The profiles that ship with the demo, and how they are measured again: on an otherwise idle machine,
python -m infadapter_local.shipped (about a quarter of an hour).
"""

import asyncio
import json
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import click

from infadapter_local.cgroups import Quotas, cpu_limits
from infadapter_local.fork_client import started_fork_client
from infadapter_local.measure import measure_variant
from infadapter_local.processes import Processes, ProcessFailed
from infadapter_local.spec import PERCENTILE
from infadapter_profiles.document import ProfileDocument, read_document
from infadapter_profiles.files import parse_yaml, save_profile
from infadapter_profiles.profile import Profile, ProfiledAllocation
from infadapter_server.profiling.profiler import ProfileError
from infadapter_server.profiling.run import machine

VARIANTS = ("glyph-1", "glyph-2", "glyph-3", "glyph-4", "glyph-5")
PROFILES = files("infadapter_local") / "profiles" / "glyphs.yaml"
_TRAINED = files("infadapter_server.networks") / "weights" / "ladder.json"


def shipped_profiles() -> tuple[Profile, ...]:
    """Return the five variants' profiles, the smallest first."""
    documents = parse_yaml(PROFILES.read_bytes(), PROFILES.name)
    profiles = [read_document(document).profile for document in documents]
    return tuple(sorted(profiles, key=lambda profile: profile.variant))


def trained_accuracies() -> dict[str, float]:
    """Return each variant's accuracy on held-out images, as measured by training."""
    notes = json.loads(_TRAINED.read_text(encoding="utf-8"))
    return {name: float(note["accuracy"]) for name, note in notes.items()}


@click.command("python -m infadapter_local.shipped")
@click.option(
    "--variant",
    "variants",
    type=click.Choice(VARIANTS),
    multiple=True,
    default=VARIANTS,
    help="Measure this one; may be repeated.  [default: all]",
)
@click.option("--seconds", type=click.FloatRange(5, 600), default=20.0, show_default=True)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(str(PROFILES)),
    help="The file to write; profiles of the same names in it are replaced.",
)
def main(variants: tuple[str, ...], seconds: float, output: Path) -> None:
    """Measure variants on all sizes for this many seconds each, and write their profiles."""
    try:
        asyncio.run(_measure_all(variants, seconds, output))
    except (ProfileError, ProcessFailed, OSError) as error:
        raise click.ClickException(str(error)) from error


async def _measure_all(variants: tuple[str, ...], seconds: float, output: Path) -> None:
    limits = cpu_limits()
    if not isinstance(limits, Quotas):
        raise click.ClickException("This needs CPU quotas, which this user may not set.")
    accuracies = trained_accuracies()
    with tempfile.TemporaryDirectory() as logs:
        async with (
            Processes(limits, Path(logs)) as processes,
            started_fork_client(processes) as forks,
        ):
            for variant in variants:
                allocations, load_s = await measure_variant(forks.start, variant, seconds, _say)
                profile = Profile(
                    variant=variant,
                    accuracy=accuracies[variant],
                    load_time_s=load_s,
                    allocations=tuple(_complete(allocation) for allocation in allocations),
                )
                document = ProfileDocument(
                    profile=profile,
                    measured_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    machine=machine(),
                    server="infadapter-server",
                )
                save_profile(output, document)
    click.echo(f"The profiles of {', '.join(variants)} are in {output}.")


def _complete(allocation: ProfiledAllocation) -> ProfiledAllocation:
    """Remove rates with too few requests for the demo's percentile."""
    points = tuple(point for point in allocation.points if PERCENTILE in point.latency_s)
    return replace(allocation, points=points)


def _say(what: str, seconds: float) -> None:
    click.echo(f"{what}, {seconds:.0f} s")


if __name__ == "__main__":
    main()
