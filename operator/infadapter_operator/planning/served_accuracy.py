"""
The accuracy of the answers beside the planned one. Pods with operating points choose them by
themselves, and in a burst they lose accuracy before anything else.
"""

from collections.abc import Mapping

from infadapter_operator.domain.load import Delivered
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import accuracy_of


def served_accuracy(
    service: Service, observed: Observed, delivered: Mapping[str, Delivered]
) -> float | None:
    """
    Return the mean accuracy of answers in time, over the service's existing pods.

    None if no pod reports it or nothing was answered. Without operating points a pod counts with
    its variant's accuracy.
    """
    answered_rps, gained = 0.0, 0.0
    for pod in observed.pods:
        of_pod = delivered.get(pod.name)
        if of_pod is None:
            continue
        told = of_pod.accuracy
        accuracy = accuracy_of(service, pod.target) if told is None else told
        answered_rps += of_pod.answered_rps
        gained += of_pod.answered_rps * accuracy
    return gained / answered_rps if answered_rps > 0 else None
