"""Log lines of a service's reconcile cycles."""

import logging

import pytest

from infadapter_operator.domain.situation import Failure, State
from infadapter_operator.domain.steps import RemovePods
from infadapter_operator.execute import Executed, Refusal
from infadapter_operator.kube.cycle_log import CycleLog
from infadapter_operator.reconcile import Cycle
from infadapter_operator.recurring import CALM_S
from infadapter_solver.problem import Target
from tests.builders import a_service


def test_why_nothing_is_known_is_told_when_it_is_new_and_not_at_every_cycle(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = Failure("QueryRefused", "Prometheus refuses the query: 400, parse error")
    failures = [
        *(Failure("StaleData", f"the last sample is {age_s} s old") for age_s in (16, 17, 18)),
        *(refused, refused, *([None] * round(CALM_S)), refused),
    ]
    caplog.set_level(logging.INFO)
    now_s = 0.0
    log = CycleLog("vision/resnet", lambda: now_s)
    for failure in failures:
        now_s += 1
        log.tell(Cycle(service=a_service(), now_s=0.0, state=State(), failure=failure))
    assert caplog.messages == [
        "vision/resnet: StaleData: the last sample is 16 s old",
        "vision/resnet: QueryRefused: Prometheus refuses the query: 400, parse error",
        "vision/resnet: it works again, after 4 s",
        "vision/resnet: QueryRefused: Prometheus refuses the query: 400, parse error",
    ]


def test_what_is_refused_in_every_other_cycle_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A quota's message contains current usage. Regression: each attempt logged a new line."""
    log, step = (
        CycleLog("vision/resnet"),
        RemovePods(target=Target("r18"), pods=("r18-a",), remaining=0),
    )
    for used in range(20):
        refusal = Refusal(step=step, reason="QuotaExceeded", message=f"exceeded, used: {used}")
        done = Executed(refusals=(refusal,) if used % 2 else ())
        log.tell(Cycle(service=a_service(), now_s=0.0, state=State(), done=done))
    assert caplog.messages == ["vision/resnet: refused: RemovePods: exceeded, used: 1"]


def test_an_api_server_to_which_no_connection_comes_about_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """urllib3's message contains the connection's memory address, which differs each time."""
    log = CycleLog("vision/resnet")
    for address in ("7f136ecaeb10", "7f136ecc6910"):
        told = f"(<HTTPSConnection(host='10.0.0.1', port=443) at 0x{address}>, 'timed out')"
        failure = Failure("PlatformUnavailable", f"the API server did not answer: {told}")
        log.tell(Cycle(service=a_service(), now_s=0.0, state=State(), failure=failure))
    assert len(caplog.messages) == 1
