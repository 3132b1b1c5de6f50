"""
Envoy's outlier detection, which takes requests away from pods that only fail. A refusal is no
failure.

An error is the fastest answer, so a pod that only fails queues nothing and looks like the best one.
It may be Ready all the same, since a readiness probe runs no inference. Refusals (503) are
legitimate under load.
"""

from infadapter_operator.envoy.endpoints import Json
from infadapter_profiles.wire import REFUSED_STATUS

IN_A_ROW = 5
"""Consecutive failures after which a pod is ejected."""

FIRST_S, LONGEST_S = 5, 60
"""First and longest time of ejection, s; each further ejection in a row is longer by `FIRST_S`."""

MOST_PERCENT = 50
"""
Largest share of pods that may be ejected. Inputs at which every pod fails are not a pod's fault,
and some pod must answer. A single pod is never ejected.
"""


def outlier_detection() -> Json:
    """
    Return the cluster's settings. Each pod is judged by itself, since pods of different variants
    differ.
    """
    return {
        "consecutive_5xx": IN_A_ROW,
        "interval": "1s",  # until an ejected pod may return
        "base_ejection_time": f"{FIRST_S}s",
        "max_ejection_time": f"{LONGEST_S}s",
        "max_ejection_percent": MOST_PERCENT,
        "enforcing_success_rate": 0,
        "enforcing_failure_percentage": 0,
        # A pod that has not answered yet has not failed: in an overload that would be every pod.
        "split_external_local_origin_errors": True,
        "enforcing_consecutive_local_origin_failure": 0,
        "enforcing_local_origin_success_rate": 0,
    }


def failures() -> Json:
    """Return which answers count as failures: all 5xx except refusals."""
    refusal = {"not_match": _status({"exact": str(REFUSED_STATUS)})}
    return {"error_matcher": {"and_match": {"rules": [_status({"prefix": "5"}), refusal]}}}


def _status(matching: Json) -> Json:
    headers = [{"name": ":status", "string_match": matching}]
    return {"http_response_headers_match": {"headers": headers}}
