"""Whether a server batches as is said of it: a batch limit is part of what a profile is for."""

from collections.abc import Mapping

from infadapter_server.profiling.profiler import ProfileError

_UNKNOWN = (
    "Nothing says that the server batches (no histogram of batch sizes in its metrics, no dynamic "
    "batching in its model's configuration), so that --batch-size {given} would be a guess."
)


def check_known(given: int | None, ran: Mapping[int, float], configured: int | None) -> None:
    """Before anything is measured. Raises ProfileError where a batch limit can't be judged."""
    if given is not None and given > 1 and not ran and configured is None:
        raise ProfileError(_UNKNOWN.format(given=given))


def batch_size(given: int | None, ran: Mapping[int, float], configured: int | None) -> int:
    """
    The limit that was measured: what was given, if the executions agree, else what they show.

    `ran` is cumulative, as Prometheus writes it, and its bounds are those of a power of two: a
    limit of 6 shows as 8. Raises ProfileError.
    """
    if not ran:
        found = configured or 1
        if given is not None and given != found:
            raise ProfileError(f"The server's batch limit is {found}, not {given}.")
        return found
    largest = _largest(ran)
    if given is None:
        return largest
    bound = min((each for each in ran if each >= given), default=given)
    if largest != bound and max(largest, given) > 1:
        raise ProfileError(
            f"The server ran up to {largest} images at once, which is not --batch-size {given}: "
            "start it with that limit, or say what it has."
        )
    return given


def _largest(ran: Mapping[int, float]) -> int:
    """The first bound beyond which nothing was run; 1 where nothing was run at all."""
    most = max(ran.values())
    return min((bound for bound, count in ran.items() if count == most), default=1) if most else 1
