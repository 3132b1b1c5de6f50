"""What a demo plays, and on what budget."""

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from infadapter_local.cgroups import Cores, Quotas
from infadapter_local.demo import affordable
from infadapter_local.policies import compared
from infadapter_local.view import View
from infadapter_operator.domain.service import Service


def titles(service: Service, grouped: Service | None = None, **asked: bool) -> list[str]:
    chosen = {"baselines": True, "whole": True, "resized": False} | asked
    return [policy.title for policy in compared(service, 40.0, grouped=grouped, **chosen)]


def test_ours_comes_first_then_what_is_asked_for(service: Service) -> None:
    single = "glyph-2 alone"
    assert titles(service) == ["infadapter", single, "full budget, fixed"]
    assert titles(service, whole=False) == ["infadapter", single]
    assert titles(service, whole=False, resized=True)[2:] == ["glyph-2 resized"]
    assert titles(service, baselines=False, resized=True) == ["infadapter"]
    grouped = replace(service, variants=service.variants[:1])
    assert titles(service, grouped)[3:] == ["ladder in one pod"]


def budget(monkeypatch: pytest.MonkeyPatch, asked: int | None, speed: float) -> tuple[int, str]:
    """On two cores, and what was said about it."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    out = io.StringIO()
    found = affordable(asked, Quotas(Path("/nowhere"), speed), View(Console(file=out, width=200)))
    return found, out.getvalue()


@pytest.mark.parametrize("speed", [0.2, 1.0, 1.25])
def test_the_budget_is_the_shipped_one_or_what_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, speed: float
) -> None:
    assert budget(monkeypatch, None, speed) == (800, "")
    assert budget(monkeypatch, 600, speed) == (600, "")


@pytest.mark.parametrize(("speed", "most"), [(1.5, 600), (2.0, 500), (4.0, 200)])
def test_what_faster_cores_take_with_their_surge_is_no_more_than_there_is(
    monkeypatch: pytest.MonkeyPatch, speed: float, most: int
) -> None:
    found, said = budget(monkeypatch, None, speed)
    assert found == most
    assert 2 * found * speed <= 2000
    assert f"The budget is {most}m in place of 800m" in said


def test_a_machine_without_quotas_is_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert affordable(None, Cores(), View(Console(file=io.StringIO()))) == 3000
