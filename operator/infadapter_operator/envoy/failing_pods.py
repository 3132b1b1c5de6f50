"""
Pods that only fail lose their requests: Envoy's outlier detection, where a refusal is no failure.

An error is the fastest of all answers, so who queues nothing and only fails looks like the best pod
there is. Ready it may be all the same: a readiness probe asks no model anything. Refusals (503) are
an answer that pods under load give by right, and no sign of anything.
"""

from infadapter_operator.envoy.endpoints import Json
from infadapter_profiles.wire import REFUSED_STATUS

IN_A_ROW = 5
"""Failures, with no other answer between them."""

FIRST_S, LONGEST_S = 5, 60
"""For so long a pod is left alone: longer with each time in turn, by `FIRST_S`."""

MOST_PERCENT = 50
"""
Of the pods: inputs at which every pod fails are no pod's fault, and somebody has to answer. Of one
pod alone none is.
"""


def outlier_detection() -> Json:
    """Of a cluster: one pod is judged by itself alone, as pods of several variants differ."""
    return {
        "consecutive_5xx": IN_A_ROW,
        "interval": "1s",  # until a pod may come back
        "base_ejection_time": f"{FIRST_S}s",
        "max_ejection_time": f"{LONGEST_S}s",
        "max_ejection_percent": MOST_PERCENT,
        "enforcing_success_rate": 0,
        "enforcing_failure_percentage": 0,
        # Who has not answered yet has not failed: in an overload that would be every pod.
        "split_external_local_origin_errors": True,
        "enforcing_consecutive_local_origin_failure": 0,
        "enforcing_local_origin_success_rate": 0,
    }


def failures() -> Json:
    """Of a cluster's HTTP options: which answers count as failures, all of 5xx but refusals."""
    refusal = {"not_match": _status({"exact": str(REFUSED_STATUS)})}
    return {"error_matcher": {"and_match": {"rules": [_status({"prefix": "5"}), refusal]}}}


def _status(matching: Json) -> Json:
    headers = [{"name": ":status", "string_match": matching}]
    return {"http_response_headers_match": {"headers": headers}}
