"""
Detect series that several Prometheus replicas counted: their sum would be a multiple of the load.
"""

import re
from collections.abc import Mapping
from statistics import fmean

from infadapter_workload.formats.matrix import Matrix, Source
from infadapter_workload.formats.stream import shown
from infadapter_workload.read_options import ReadOptions

_REPLICA = re.compile(r"_*(?:[a-z]+_)?replica(?:_?id)?_*")
"""
Labels such as prometheus_replica, __replica__ and receive_replica, by which stores distinguish
copies.
"""

_ALIKE = 0.1
"""
Largest relative difference between the means of two copies, which are scraped at different times.
"""


def refuse_replicas(source: Source, matrix: Matrix, options: ReadOptions) -> None:
    """
    Raise TraceError for two series that differ in such a label only and have about the same mean.
    The mean decides, since a label with a pod's number may have such a name, too.
    """
    if options.values is not None:
        return
    seen: dict[str, tuple[str, float]] = {}
    for labels, samples in matrix.series:
        label = next((name for name in labels if _REPLICA.fullmatch(name)), None)
        if label is None or not samples:
            continue
        mean, others = fmean(samples.values()), _without(labels, label)
        _, known = seen.setdefault(others, (labels[label], mean))
        if labels[label] != seen[others][0] and abs(known - mean) < _ALIKE * max(known, mean):
            raise source.error(
                f"has the same series from each {shown(label)}, which count the same requests: "
                f"query sum(max without ({label}) (…)), or say --trace-values rates if they are "
                "to be summed"
            )


def _without(labels: Mapping[str, str], label: str) -> str:
    return repr(sorted((name, text) for name, text in labels.items() if name != label))
