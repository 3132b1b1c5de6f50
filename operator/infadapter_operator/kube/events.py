"""The Kubernetes Event objects that the operator creates."""

from infadapter_operator.domain.names import API_VERSION, KIND
from infadapter_operator.kube.client import Json
from infadapter_operator.kube.objects import Owner
from infadapter_operator.reporting.events import Event


def build_event(owner: Owner, event: Event, at: str, name: str) -> Json:
    """Return the Event; `at` is an RFC 3339 time."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": owner.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": owner.namespace,
            "name": owner.name,
            "uid": owner.uid,
        },
        "reason": event.reason,
        "message": event.message[:1024],
        "type": "Warning" if event.warning else "Normal",
        "source": {"component": "infadapter"},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
