"""What a comparison looks like."""

import re
from dataclasses import replace

import numpy as np
import pytest
from markupsafe import escape

from infadapter_simulator.compare.results import Comparison
from infadapter_simulator.report.columns import COLUMNS, cell
from infadapter_simulator.report.html import as_page, shown
from infadapter_simulator.report.means import half_width, mean
from infadapter_simulator.report.table import aligned, as_table
from infadapter_simulator.report.words import headline


def test_the_table_has_the_highest_objective_first_and_violations_beside_it(
    comparison: Comparison,
) -> None:
    lines = as_table(comparison).splitlines()
    head = next(at for at, line in enumerate(lines) if "policy" in line)
    assert lines[head].split()[:3] == ["policy", "objective", "violations"]
    rows = lines[head + 1 : head + 4]
    objectives = [float(re.findall(r"\d\.\d{4}", row)[0]) for row in rows]
    assert objectives == sorted(objectives, reverse=True)
    assert [row[:2] for row in rows if "infadapter" in row] == ["* "]
    assert len({len(row) for row in lines[head : head + 4]}) == 1


def test_intervals_are_students(comparison: Comparison) -> None:
    result = comparison.results[0]
    several = [replace(result.measures[0], objective=value) for value in (0.70, 0.72, 0.74)]
    three = replace(result, measures=tuple(several))
    assert mean(three, "objective") == pytest.approx(0.72)
    assert half_width(three, "objective") == pytest.approx(4.303 * 0.02 / np.sqrt(3))
    assert half_width(result, "objective") is None
    assert cell(three, COLUMNS[0]) == "0.7200 ±0.0497"
    many = replace(result, measures=tuple(several * 11))
    assert half_width(many, "objective") == pytest.approx(1.96 * 0.01658 / np.sqrt(33), rel=0.001)


def test_a_measure_that_nobody_has_is_a_dash(comparison: Comparison) -> None:
    regret = next(column for column in COLUMNS if column.measure == "regret")
    assert cell(comparison.results[0], regret) == "–"


def test_the_page_needs_nothing_else(comparison: Comparison) -> None:
    page = as_page(comparison)
    assert not re.search(r"<(script|link|img|iframe|object|embed)\b", page)
    assert not re.search(r"\bsrc=|@import|url\(\s*[\"']?(?!#)", page)
    targets = re.findall(r'href="([^"]*)"', page)
    assert all(target.startswith(("#", "data:")) for target in targets)
    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) <= namespaces


def test_the_page_says_what_came_out_and_shows_it(comparison: Comparison) -> None:
    page = as_page(comparison)
    assert headline(comparison) in page
    assert page.count("<svg") == 5
    for column in COLUMNS:
        assert f"<dt>{column.title}</dt><dd>{escape(column.meaning)}</dd>" in page
    for result in comparison.results:
        assert page.count(result.name) > 3
    assert as_page(comparison) == page


def test_names_from_a_file_are_no_markup(comparison: Comparison) -> None:
    trace = replace(comparison.part.trace, name="<script>alert(1)</script>")
    evil = replace(comparison, part=replace(comparison.part, trace=trace))
    assert "<script>" not in as_page(evil)


def test_pictures_begin_with_ours(comparison: Comparison) -> None:
    names = [*shown(comparison)]
    assert names[0] == "infadapter"
    series = shown(comparison)["infadapter"]
    arrived = float((series.load_rps * np.diff(np.append(series.bin_at_s, 60.0))).sum())
    assert arrived == pytest.approx(comparison.bounds[0].requests)
    held = sum(cores.mean() for cores in series.cores.values())
    ours = next(r for r in comparison.results if r.name == "infadapter")
    assert held == pytest.approx(mean(ours, "mean_cores"), rel=0.1)


def test_in_a_narrow_terminal_columns_go_on_below_beside_their_policies(
    comparison: Comparison,
) -> None:
    whole = as_table(comparison).splitlines()
    assert as_table(comparison, 1000).splitlines() == whole
    narrow = as_table(comparison, 60).splitlines()
    heads = [at for at, line in enumerate(narrow) if line.startswith("  policy")]
    assert len(heads) > 1
    rows = len(comparison.results) + 1
    blocks = [narrow[at : at + rows] for at in heads]
    assert max(len(line) for block in blocks for line in block) <= 60
    first = next(at for at, line in enumerate(whole) if line.startswith("  policy"))
    for at in range(rows):
        cells = [word for block in blocks for word in block[at].lstrip("* ").split()[1:]]
        assert cells == whole[first + at].lstrip("* ").split()[1:]


@pytest.mark.parametrize("width", [1, 8, 12, 30])
def test_every_column_is_there_once_however_narrow_the_terminal_is(width: int) -> None:
    lines = aligned([["a", "bb", "ccc", "dddd"], ["1", "22", "333", "4444"]], width)
    heads, rows = lines[::3], lines[1::3]
    assert [word for line in heads for word in line.split()[1:]] == ["bb", "ccc", "dddd"]
    assert [word for line in rows for word in line.split()[1:]] == ["22", "333", "4444"]
    assert all(len(line) <= max(width, len("a  dddd")) for line in lines)
