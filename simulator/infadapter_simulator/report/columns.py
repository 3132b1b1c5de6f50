"""The columns of a comparison's tables. Violations are always shown beside the objective."""

from collections.abc import Sequence
from dataclasses import dataclass

from infadapter_simulator.compare.results import Result
from infadapter_simulator.report.means import half_width, mean


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    measure: str
    scale: float
    digits: int
    unit: str
    meaning: str


COLUMNS = (
    Column(
        "objective",
        "objective",
        1,
        4,
        "",
        "accuracy weight × effective accuracy − cost weight × mean cost ÷ price of the budget",
    ),
    Column(
        "violations", "violations", 100, 2, " %", "late + refused + failed, of all that arrived"
    ),
    Column(
        "eff. accuracy",
        "effective_accuracy",
        100,
        2,
        " %",
        "the answering variant's accuracy, summed over what was answered within the SLO, "
        "÷ all that arrived",
    ),
    Column(
        "mean cores",
        "mean_cores",
        1,
        2,
        "",
        "held from a pod's creation to its end, the larger of asked for and in force",
    ),
    Column(
        "peak cores", "peak_cores_held", 1, 2, "", "the most that was held at once, plan and surge"
    ),
    Column(
        "over budget, core-s",
        "core_seconds_over_budget",
        1,
        1,
        "",
        "cores held beyond the budget, summed over time",
    ),
    Column(
        "longest over, s",
        "longest_over_budget_s",
        1,
        1,
        "",
        "the longest unbroken time in which more than the budget was held",
    ),
    Column("plan changes", "plan_changes", 1, 1, "", "new plans that run other pods or sizes"),
    Column(
        "regret",
        "regret",
        100,
        2,
        " %",
        "how far the objective is below that of the best schedule made in hindsight",
    ),
    Column(
        "regret at most",
        "regret_at_most",
        100,
        2,
        " %",
        "how far the objective is below what no policy exceeds",
    ),
    Column("late", "late", 100, 2, " %", "answered after the SLO"),
    Column("refused", "refused", 100, 2, " %", "turned away"),
    Column("failed", "failed", 100, 2, " %", "unanswered"),
    Column("p99 ms", "p99_s", 1000, 0, "", "of the answered"),
    Column(
        "loss, points",
        "accuracy_loss_points",
        1,
        2,
        "",
        "the paper's accuracy loss: planned accuracy below the most accurate variant's, "
        "sampled every 5 s",
    ),
)


def ranked(results: Sequence[Result]) -> list[Result]:
    """Return the results by falling objective."""
    return sorted(results, key=lambda result: -(mean(result, "objective") or 0.0))


def cell(result: Result, column: Column) -> str:
    """Return the formatted mean, with its interval if there are several seeds."""
    value = mean(result, column.measure)
    if value is None:
        return "–"
    text = f"{round(column.scale * value, column.digits) + 0.0:.{column.digits}f}"  # no -0
    width = half_width(result, column.measure)
    if width is not None:
        text += f" ±{column.scale * width:.{column.digits}f}"
    return text + column.unit
