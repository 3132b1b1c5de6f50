"""What a user sees while it runs, with and without a terminal."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from infadapter_local.run import Run
from infadapter_local.snapshot import Tally
from infadapter_local.view import View, picture, sparkline
from infadapter_local.workload import LEAD_IN_S


def shown(run: Run, *, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=110, height=40)
    with View(console) as view:
        view.step("glyph-1 on 300m", 0.0)
        view.tick(run)
    return out.getvalue()


def test_a_snapshot_has_what_the_requests_and_the_loop_say(played: Run) -> None:
    now = Tally(played).snapshot()
    assert now.at_s == pytest.approx(9.5)
    assert (now.load_rps, now.forecast_rps, now.planned_rps) == (20.0, 21.0, 22.0)
    assert [(v.name, v.ready, v.millicores, v.share) for v in now.variants] == [
        ("glyph-1", 1, 500, 0.5),
        ("glyph-2", 1, 500, 0.5),
    ]
    assert now.effective_accuracy == pytest.approx((5 * 0.7 + 4 * 0.8) / 10, abs=0.01)
    assert now.violations == pytest.approx(0.1, abs=0.01)
    assert now.mean_cores == pytest.approx((5 * 0.5 + 4.5 * 1.0) / 9.5, abs=0.06)
    assert now.p50_ms == pytest.approx(50)


def test_a_snapshot_taken_step_by_step_is_the_same(played: Run) -> None:
    ticks, outcomes = played.ticks, played.outcomes
    played.ticks, played.outcomes = ticks[:1], []
    tally = Tally(played)
    assert tally.snapshot().effective_accuracy is None
    for number in range(2, len(ticks) + 1):
        played.ticks = ticks[:number]
        played.outcomes = outcomes[: number * 5]
        tally.snapshot()
    played.outcomes = outcomes
    assert tally.snapshot() == Tally(played).snapshot()


def test_a_terminal_gets_a_picture(played: Run) -> None:
    text = shown(played, terminal=True)
    for word in ("infadapter", "forecast", "glyph-1", "effective accuracy", "20 rps are seen."):
        assert word in text


def test_what_is_no_terminal_gets_lines(played: Run) -> None:
    text = shown(played, terminal=False)
    assert "\x1b" not in text
    assert "calibrating: glyph-1 on 300m" in text
    assert "load 20  forecast 21  [glyph-1 500m 50%, glyph-2 500m 50%]" in text


def test_the_lead_in_is_called_so(played: Run) -> None:
    played.ticks = [tick for tick in played.ticks if tick.at_s < LEAD_IN_S]
    out = io.StringIO()
    Console(file=out, width=110).print(picture(Tally(played).snapshot()))
    assert "lead-in" in out.getvalue()


def test_a_sparkline_has_all_values_and_no_peak_is_lost_in_it() -> None:
    assert sparkline([0, 1, 2, 4, 8], 5) == " ▁▂▄█"
    assert sparkline([1, 1, 8, 1, 1, 1], 3) == "▁█▁"
    assert sparkline([4, 8], 4) == "▄▄██"
    assert sparkline([], 3) == "   "
    assert sparkline([0.0, 0.0], 2) == "  "
    assert sparkline([8.0], 0) == ""


def test_the_picture_fits_a_terminal_of_eighty_columns(played: Run) -> None:
    played.ticks[-1] = replace(played.ticks[-1], millicores={"glyph-1": 4000, "glyph-2": 12000})
    out = io.StringIO()
    Console(file=out, width=80).print(picture(Tally(played).snapshot()))
    lines = out.getvalue().splitlines()
    assert len(lines) <= 20
    assert "…" not in out.getvalue()
    (row,) = (line for line in lines if "glyph-2" in line)
    assert row.split()[5:9] == ["■" * 16, "12.0", "█" * 8, "50%"]


def test_the_last_line_stands_below_the_last_picture(played: Run) -> None:
    out = io.StringIO()
    with View(Console(file=out, force_terminal=True, width=110, height=40)) as view:
        view.tick(played)
        view.conclude("This came out.")
    assert out.getvalue().rpartition("╯")[2].strip().endswith("This came out.")


def test_which_networks_answer_is_shown_where_pods_choose_one(played: Run) -> None:
    assert "answered by" not in shown(played, terminal=True)
    played.outcomes = [
        replace(outcome, point="glyph-5" if number % 4 else "glyph-1")
        for number, outcome in enumerate(played.outcomes)
    ]
    assert Tally(played).snapshot().points == pytest.approx(
        {"glyph-1": 0.25, "glyph-5": 0.75}, abs=0.02
    )
    assert "answered by glyph-1 24%" in re.sub(r"\x1b\[[0-9;]*m", "", shown(played, terminal=True))
