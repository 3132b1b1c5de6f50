"""
Check a server's batch limit against the batches that it executed: a profile is for one batch limit.
"""

from collections.abc import Mapping

from infadapter_server.profiling.profiler import ProfileError

_UNKNOWN = (
    "Nothing says that the server batches (no histogram of batch sizes in its metrics, no dynamic "
    "batching in its model's configuration), so that --batch-size {given} would be a guess."
)


def check_known(given: int | None, ran: Mapping[int, float], configured: int | None) -> None:
    """Check before measuring that the batch limit can be verified. Raises ProfileError."""
    if given is not None and given > 1 and not ran and configured is None:
        raise ProfileError(_UNKNOWN.format(given=given))


def batch_size(given: int | None, ran: Mapping[int, float], configured: int | None) -> int:
    """
    Return the measured limit: the given one if the executions agree, else what they show.

    `ran` is cumulative, as Prometheus writes histograms, and its bounds are powers of two: a limit
    of 6 shows as 8. Raises ProfileError.
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
    """Return the first bound that no execution exceeded; 1 without executions."""
    most = max(ran.values())
    return min((bound for bound, count in ran.items() if count == most), default=1) if most else 1
