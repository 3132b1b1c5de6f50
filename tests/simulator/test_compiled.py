"""Machine code that is kept is that of the sources as they are."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

NAMES = ("kept_number", "kept_factor", "kept_sum")
FACTOR = """
from infadapter_simulator.compiled import compiled
from kept_number import NUMBER


@compiled
def times(x):
    return _further_down(x)


@compiled
def _further_down(x):
    return x * NUMBER
"""
SUM = """
from infadapter_simulator.compiled import compiled
from kept_factor import times


@compiled
def plus_one(x):
    return times(x) + 1.0
"""


@pytest.fixture(autouse=True)
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a second is all that tells files apart
    (tmp_path / "kept_factor.py").write_text(FACTOR)
    (tmp_path / "kept_sum.py").write_text(SUM)
    yield tmp_path
    forget()


def forget() -> None:
    for name in NAMES:
        sys.modules.pop(name, None)


def in_a_new_process(sources: Path, number: float) -> tuple[float, int]:
    """The result, and how often machine code that was kept was used for it."""
    (sources / "kept_number.py").write_text(f"NUMBER = {number}\n")
    forget()
    module = importlib.import_module("kept_sum")
    found = module.plus_one(2.0)
    return found, sum(module.plus_one.stats.cache_hits.values())


def test_what_is_kept_is_used_while_no_file_changes(sources: Path) -> None:
    assert in_a_new_process(sources, 3.0) == (7.0, 0)
    assert in_a_new_process(sources, 3.0) == (7.0, 1)


def test_a_number_that_changes_in_another_file_changes_what_was_compiled_with_it(
    sources: Path,
) -> None:
    assert in_a_new_process(sources, 3.0)[0] == 7.0
    assert in_a_new_process(sources, 4.0)[0] == 9.0


def test_a_function_that_changes_in_another_file_changes_what_was_compiled_with_it(
    sources: Path,
) -> None:
    assert in_a_new_process(sources, 3.0)[0] == 7.0
    changed = FACTOR.replace("x * NUMBER", "x * NUMBER + 10.0")
    (sources / "kept_factor.py").write_text(changed)
    assert in_a_new_process(sources, 3.0)[0] == 17.0
