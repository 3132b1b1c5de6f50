"""The parameters of a profiler run."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from infadapter_profiles.sizes import Resources
from infadapter_profiles.wire import MODELS_PATH
from infadapter_server.loadgen.endpoint import Endpoint, UrlError, parse_url
from infadapter_server.profiling.labelled import Labelled
from infadapter_server.profiling.steps import Goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to measure, how, and where to write it."""

    endpoint: Endpoint
    name: str
    namespace: str | None
    resources: Resources
    batch_size: int | None  # None: what the server shows
    goals: tuple[Goal, ...]
    points: str | tuple[str, ...] | None  # ALL, or names; None: as there is time for
    accuracy: float | None
    labelled: Labelled | None
    load_s: float | None
    seconds: float
    start: str | None
    start_timeout_s: float
    cold: bool
    body: bytes | None
    shape: tuple[int, ...] | None
    seed: int
    output: Path
    force: bool

    @property
    def journal(self) -> Path:
        """
        The journal's path beside the profile, one per variant and size, until the whole command is
        done.
        """
        size = "-".join(f"{amount}" for amount in self.resources.values())
        batch = self.batch_size or "any"
        name = f".{self.output.name}.{self.name}.{size}.{batch}.partial"
        return self.output.with_name(name)

    def fingerprint(self, machine: str) -> dict[str, object]:
        """
        Return the parameters that must be equal for an interrupted run to continue, by option name.
        """
        return {
            "URL": str(self.endpoint),
            "--name": self.name,
            "--namespace": self.namespace,
            "--cpu or --resource": dict(self.resources),
            "--batch-size": self.batch_size,
            "--slo-ms, --percentile or --epsilon": [str(goal) for goal in self.goals],
            "--points": self.points,
            "--labelled": None if self.labelled is None else self.labelled.digest,
            "--seconds": self.seconds,
            "--start": self.start,
            "--cold": self.cold,
            "--body": None if self.body is None else hashlib.sha256(self.body).hexdigest(),
            "--shape": self.shape,
            "--seed": self.seed,
            "--force": self.force,
            "machine": machine,
        }


def infer_route(url: str) -> Endpoint:
    """Parse the URL of an infer route. Raises UrlError for any other URL."""
    endpoint = parse_url(url)
    if not re.fullmatch(rf"{MODELS_PATH}/[^/?]+(/versions/[^/?]+)?/infer", endpoint.path):
        raise UrlError(f"{url!r} must end in {MODELS_PATH}/NAME/infer.")
    return endpoint
