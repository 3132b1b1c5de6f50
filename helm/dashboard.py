"""
Writes the Grafana dashboard: `python helm/dashboard.py`.

With --check it fails when the file is not what it would write. A panel is a title, a unit and its
queries; everything else is the same for all. Tests evaluate every query on a real Prometheus.
"""

import json
import sys
from pathlib import Path
from typing import Any

from infadapter_profiles import wire

TARGET = Path(__file__).parent / "infadapter" / "dashboards" / "infadapter.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OURS = '{namespace="$namespace",service="$service"}'
ROUTER = f'{{{wire.ROUTER_SERVICE}="$namespace/$service"}}'
LOOK = "infadapter_last_look_timestamp_seconds"  # every service has it
Query = tuple[str, str]  # expression, legend


def ratio_of(code_class: str) -> str:
    picked = ROUTER.replace("}", f',{wire.ROUTER_CODE_CLASS}="{code_class}"}}')
    total = f"sum(rate({wire.ROUTER_ARRIVALS}{ROUTER}[$__rate_interval]))"
    return f"sum(rate({wire.ROUTER_ANSWERS}{picked}[$__rate_interval])) / {total}"


def latency(quantile: float) -> str:
    buckets = f"rate({wire.ROUTER_LATENCY}_bucket{ROUTER}[$__rate_interval])"
    return f"histogram_quantile({quantile}, sum by (le) ({buckets})) / 1000"


def missed_by_outcome() -> str:
    missed = OURS.replace("}", ',outcome!="in_time"}')
    total = f"scalar(sum(rate(infadapter_slo_answers_total{OURS}[5m])))"
    return f"sum by (outcome) (rate(infadapter_slo_answers_total{missed}[5m])) / {total}"


PANELS: tuple[tuple[str, str, int, tuple[Query, ...]], ...] = (
    (
        "Load, forecast and capacity",
        "reqps",
        12,
        (
            (f"infadapter_demand_rps{OURS}", "demand now"),
            (f"infadapter_planning_demand_rps{OURS}", "planned for"),
            (f"infadapter_forecast_rps{OURS}", "forecast"),
            (f"infadapter_ready_capacity_rps{OURS}", "capacity, Ready"),
        ),
    ),
    (
        "Latency at the router",
        "s",
        12,
        tuple((latency(q), f"p{q * 100:g}") for q in (0.5, 0.9, 0.99)),
    ),
    (
        "CPU cores by variant",
        "none",
        6,
        (
            (f"infadapter_allocated_cpu_cores{OURS}", "{{variant}} {{kind}}"),
            (f"sum(infadapter_planned_cpu_cores{OURS})", "planned"),
        ),
    ),
    (
        "Traffic shares",
        "percentunit",
        6,
        ((f"infadapter_share_ratio{OURS}", "{{variant}} {{kind}}"),),
    ),
    (
        "Pods",
        "none",
        6,
        (
            (f"infadapter_ready_pods{OURS}", "{{variant}} {{kind}} Ready"),
            (f"infadapter_planned_pods{OURS}", "{{variant}} {{kind}} planned"),
        ),
    ),
    (
        "Delivered capacity as a share of the profiled",
        "percentunit",
        6,
        ((f"infadapter_learnt_capacity_ratio{OURS}", "{{variant}} {{kind}}"),),
    ),
    (
        "Accuracy as planned and as served",
        "percentunit",
        8,
        (
            (f"infadapter_planned_accuracy_ratio{OURS}", "planned"),
            (f"infadapter_served_accuracy_ratio{OURS}", "served"),
        ),
    ),
    ("Cost at the prices", "none", 8, ((f"infadapter_plan_cost{OURS}", "cost"),)),
    (
        "Answers by class",
        "percentunit",
        8,
        tuple((ratio_of(c), f"{c}xx") for c in ("2", "4", "5")),
    ),
    (
        "Conditions (1 true, 0 false, -1 unknown)",
        "none",
        12,
        ((f"infadapter_condition{OURS}", "{{type}}"),),
    ),
    (
        "Errors and steps per minute",
        "none",
        12,
        (
            (f"60 * rate(infadapter_errors_total{OURS}[$__rate_interval])", "error {{reason}}"),
            (f"60 * rate(infadapter_steps_total{OURS}[$__rate_interval])", "step {{step}}"),
        ),
    ),
    (
        "Variants whose pods can be started (1) or not (0)",
        "none",
        12,
        ((f"infadapter_variant_available{OURS}", "{{variant}} {{kind}}"),),
    ),
    (
        "Back-offs of pods per hour, and why the rollout waits",
        "none",
        12,
        (
            (f"increase(infadapter_blocked_total{OURS}[1h])", "{{cause}}"),
            (f"infadapter_progress_rest{OURS}", "rests: {{reason}}"),
        ),
    ),
    (
        "Error budget left, of an hour's",
        "percentunit",
        8,
        ((f"infadapter_slo_error_budget_ratio{OURS}", "left"),),
    ),
    (
        "What missed the SLO",
        "percentunit",
        8,
        (
            (missed_by_outcome(), "{{outcome}}"),
            (f"max(infadapter_slo_allowed_miss_ratio{OURS})", "allowed"),
        ),
    ),
    (
        "Reserve, times the usual",
        "none",
        8,
        ((f"infadapter_slo_reserve_factor{OURS}", "reserve"),),
    ),
)


def panel(
    number: int, title: str, unit: str, place: dict[str, int], queries: tuple[Query, ...]
) -> Any:
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": unit, "min": None if "Conditions" in title else 0},
            "overrides": [],
        },
        "targets": [
            {
                "refId": chr(ord("A") + n),
                "datasource": SOURCE,
                "expr": expression,
                "legendFormat": legend,
            }
            for n, (expression, legend) in enumerate(queries)
        ],
    }


def laid_out() -> list[Any]:
    """Panels from left to right, in rows of 24 columns."""
    panels, x, y = [], 0, 0
    for number, (title, unit, width, queries) in enumerate(PANELS, start=1):
        if x + width > 24:
            x, y = 0, y + 8
        panels.append(panel(number, title, unit, {"x": x, "y": y, "w": width, "h": 8}, queries))
        x += width
    return panels


def variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
    }


def dashboard() -> dict[str, Any]:
    return {
        "uid": "infadapter",
        "title": "infadapter",
        "description": "What each InferenceService is asked, what it plans and what it delivers",
        "tags": ["infadapter"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus", "refresh": 1},
                variable("namespace", f"label_values({LOOK}, namespace)"),
                variable("service", f'label_values({LOOK}{{namespace="$namespace"}}, service)'),
            ]
        },
        "panels": laid_out(),
    }


def main() -> None:
    text = json.dumps(dashboard(), indent=1) + "\n"
    if "--check" not in sys.argv:
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(text)
    elif TARGET.read_text() != text:
        sys.exit(f"{TARGET} is not what helm/dashboard.py writes: run it")


if __name__ == "__main__":
    main()
