"""A run's summary as lines for people."""

from infadapter_workload.outcomes import Summary

LATE_MS = 5.0  # a generator later than this has measured itself


def render(summary: Summary) -> str:
    of = max(summary.arrived, 1)
    lines = [f"arrived   {summary.arrived}  ({_number(summary.achieved_rps)} sent per second)"]
    for name in ("ok", "late", "refused", "failed"):
        count = getattr(summary, name)
        lines.append(f"{name:<9} {count}  ({100 * count / of:.2f} %)")
    lines.append(f"latency   p50 {_number(summary.p50_ms)} ms, p99 {_number(summary.p99_ms)} ms")
    late_p50, late_p99 = summary.send_late_p50_ms, summary.send_late_p99_ms
    lines.append(f"sent late p50 {_number(late_p50)} ms, p99 {_number(late_p99)} ms")
    lines += [f"variant   {name}: {count}" for name, count in sorted(summary.by_variant.items())]
    lines += [f"failure   {reason}: {count}" for reason, count in sorted(summary.errors.items())]
    if late_p99 is not None and late_p99 > LATE_MS:
        lines.append("The generator itself was late: read these latencies with care.")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
