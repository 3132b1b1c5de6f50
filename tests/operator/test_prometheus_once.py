"""A counter scraped several times counts once in queries, as promtool evaluates them."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infadapter_operator.prometheus.answers import answers_query, served_answers_query
from infadapter_operator.prometheus.queries import (
    Servers,
    arrivals_query,
    delivered_query,
    met_query,
    served_by_pod_query,
    served_query,
)

SERVERS = Servers("vision", frozenset({"resnet-r18"}), scrape_s=1.0, slo_s=0.3)
RPS = 50
UNTIL_S = 400

ROUTER = 'envoy_http_conn_manager_prefix="vision/resnet"'
COUNTED: Mapping[str, float] = {
    f"envoy_http_downstream_rq_total{{{ROUTER}}}": 1.0,
    f"envoy_http_downstream_rq_time_count{{{ROUTER}}}": 1.0,
    f'envoy_http_downstream_rq_time_bucket{{{ROUTER},le="300"}}': 0.8,
    f'envoy_http_downstream_rq_xx{{{ROUTER},envoy_response_code_class="2"}}': 0.9,
    f'envoy_http_downstream_rq_xx{{{ROUTER},envoy_response_code_class="4"}}': 0.04,
    f'envoy_http_downstream_rq_xx{{{ROUTER},envoy_response_code_class="5"}}': 0.06,
    'infadapter_server_arrivals_total{variant="r18"}': 1.0,
    'infadapter_server_requests_total{variant="r18",code="200"}': 0.9,
    'infadapter_server_requests_total{variant="r18",code="503"}': 0.06,
    'infadapter_server_requests_total{variant="r18",code="500"}': 0.04,
    'infadapter_server_latency_seconds_count{variant="r18"}': 0.9,
    'infadapter_server_latency_seconds_bucket{variant="r18",le="0.3"}': 0.8,
}
"""Counters of a pod that is both router and server, with their share of 50 rps."""

Job = dict[str, str]
ONE, TWO = "resnet-r18-abc-one", "resnet-r18-abc-two"


def of(pod: str, **labels: str) -> Job:
    """Return labels as of Kubernetes service discovery, and further ones."""
    return {"namespace": "vision", "pod": pod, "instance": f"{pod}:9000", **labels}


TWICE: Mapping[str, tuple[Job, ...]] = {
    "once": (of(ONE),),
    "by a monitor and by an annotation": (
        of(ONE, job="vision/routers", endpoint="stats", container="envoy"),
        of(ONE, job="kubernetes-pods", node="worker-1"),
    ),
    "through a service and its headless one": (
        of(ONE, service="resnet"),
        of(ONE, service="resnet-headless"),
    ),
    "by two replicas that write into one store": (
        of(ONE, prometheus_replica="prometheus-k8s-0"),
        of(ONE, prometheus_replica="prometheus-k8s-1"),
    ),
    "by two replicas with labels of another name": (
        of(ONE, cluster="a", __replica__2="r0"),
        of(ONE, cluster="a", __replica__2="r1"),
    ),
    "under two addresses": (of(ONE), of(ONE, instance="worker-1")),
    "by a job that does not say the pod": (
        of(ONE),
        {"instance": f"{ONE}:9000", "kubernetes_pod_name": ONE, "job": "static"},
    ),
    "two pods": (of(ONE), of(TWO)),
    "two pods, each by two jobs": tuple(of(p, job=j) for p in (ONE, TWO) for j in ("a", "b")),
    "two pods through one collector": tuple(
        of("collector", exported_pod=pod, job=job) for pod in (ONE, TWO) for job in ("a", "b")
    ),
}
"""
Ways of scraping a pod twice. Regression: 50 rps counted as 100. As in
https://github.com/prometheus-community/helm-charts/issues/2181 (a monitor and an annotation),
https://github.com/grafana/helm-charts/issues/597 (a headless Service),
https://github.com/SumoLogic/sumologic-kubernetes-collection/issues/776 (the same, by two monitors),
https://github.com/prometheus-operator/prometheus-operator/issues/4916 (two replicas behind one
address), https://github.com/gpustack/gpustack/pull/6028 (the pod's name in other labels).
"""


def counters(jobs: tuple[Job, ...]) -> list[dict[str, str]]:
    """Return a series for each counter and each job that scrapes it."""
    return [
        {
            "series": name.replace("}", "".join(f',{k}="{v}"' for k, v in job.items()) + "}"),
            "values": f"0+{part * RPS:g}x{UNTIL_S}",
        }
        for job in jobs
        for name, part in COUNTED.items()
    ]


def expected(expr: str, **values: float) -> dict[str, Any]:
    """Return the expected values by label; `total` has no label."""
    samples = [
        {"labels": "{}" if name == "total" else f"{{{name}}}", "value": round(value, 1)}
        for name, value in values.items()
    ]
    expr = f"round({expr}, 0.1)"
    return {"expr": expr, "eval_time": f"{UNTIL_S - 1}s", "exp_samples": samples}


def what(pods: int, over_s: int, **parts: float) -> dict[str, float]:
    return {f'what="{w}"': RPS * pods * over_s * part for w, part in parts.items()}


def questions(pods: tuple[str, ...]) -> list[dict[str, Any]]:
    count = len(pods)
    in_words = {"answered": 1.0, "late": 0.2, "refused": 0.02, "failed": 0.08}
    by_servers = {"answered": 1.0, "late": 0.1, "refused": 0.06, "failed": 0.04}
    missed = {f'pod="{pod}",what="missed"': RPS * 0.16 for pod in pods}
    failed = {f'pod="{pod}",what="failed"': RPS * 0.04 for pod in pods}
    arrived = {f'pod="{pod}",what="arrived"': float(RPS) for pod in pods}
    return [
        expected(arrivals_query("vision", "resnet", 1.0), total=RPS * count),
        expected(f"100 * {met_query('vision', 'resnet', 0.3)}", total=70.0),
        expected(f"({answers_query(SERVERS, 'resnet')})", **what(count, 15, **in_words)),
        expected(served_query(SERVERS), total=RPS * count),
        expected(served_by_pod_query(SERVERS), **{f'pod="{p}"': float(RPS) for p in pods}),
        expected(f"({served_answers_query(SERVERS)})", **what(count, 15, **by_servers)),
        expected(f"({delivered_query(SERVERS, 5.0)})", **arrived, **failed, **missed),
    ]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on the PATH")
@pytest.mark.parametrize("case", TWICE)
def test_each_pod_counts_once_however_it_is_scraped(case: str, tmp_path: Path) -> None:
    """All queries of the operator, or only the load if pod names are in other labels."""
    jobs = TWICE[case]
    pods = tuple(sorted({job["pod"] for job in jobs if "pod" in job}))
    asked = questions(pods)
    if "collector" in pods:
        asked = [expected(arrivals_query("vision", "resnet", 1.0), total=RPS * 2)]
    test = {"interval": "1s", "input_series": counters(jobs), "promql_expr_test": asked}
    (tmp_path / "test.yaml").write_text(
        yaml.safe_dump({"evaluation_interval": "1s", "tests": [test]})
    )
    ran = subprocess.run(
        ["promtool", "test", "rules", "test.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
