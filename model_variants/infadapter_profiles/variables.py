"""Find INFADAPTER_ environment variables that nothing reads, so that misspellings are reported."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

PREFIX = "INFADAPTER_"


def unread(variables: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """Return a warning for each variable with our prefix, in any case, that is not `known`."""
    ours = sorted(name for name in variables if name.upper().startswith(PREFIX))
    links = _service_links(ours)
    return tuple(
        _sentence(name, known) for name in ours if name not in known and not name.startswith(links)
    )


def _service_links(names: Iterable[str]) -> tuple[str, ...]:
    """Return the prefixes of the variables that Kubernetes sets for Services, also for our own."""
    mark = "_SERVICE_HOST"
    services = [name.removesuffix(mark) for name in names if name.endswith(mark)]
    return tuple(service + link for service in services for link in ("_SERVICE_", "_PORT"))


def _sentence(name: str, known: Collection[str]) -> str:
    meant = get_close_matches(name.upper(), known, n=1, cutoff=0.8)
    advice = f"did you mean {meant[0]}?" if meant else "remove it, or look at how it is spelt."
    return f"the environment variable {name} is read by nobody and has no effect: {advice}"
