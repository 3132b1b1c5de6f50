"""
The load source of one service. It is kept while its queries stay the same, because it caches
answers.
"""

from infadapter_operator.kube.context import Context
from infadapter_operator.kube.prepare import Prepared
from infadapter_operator.prometheus.client import PrometheusLoad
from infadapter_operator.reconcile import Cycle


class AskedLoad:
    """Queries Prometheus as the current spec says."""

    def __init__(self, context: Context, namespace: str) -> None:
        self._context, self._namespace = context, namespace
        self._load: PrometheusLoad | None = None

    def of(self, prepared: Prepared) -> PrometheusLoad:
        asked = (
            prepared.query,
            prepared.servers,
            prepared.answers_query,
            prepared.by_pod_query,
        )
        if self._load is None or self._load.asked != asked:
            theirs = self._context.prometheus_of(self._namespace)
            self._load = PrometheusLoad(
                self._context.prometheus, *asked, load_from=theirs if prepared.is_custom else None
            )
        return self._load

    def count_on(self, seen: Cycle) -> None:
        """Tell the load source which pods behind a gateway must report their requests."""
        if self._load is None or self._load.coverage is None or seen.observed is None:
            return
        ready = {pod.name for pod in seen.observed.pods if pod.ready and not pod.leaving}
        weights = {pod: w for pod, w in seen.observed.weights.items() if pod in ready}
        self._load.coverage.serving(weights, seen.now_s)
