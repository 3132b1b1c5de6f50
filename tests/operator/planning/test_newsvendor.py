"""The newsvendor quantile: beyond it more reserve costs more than it saves."""

from infadapter_operator.planning.newsvendor import reserve_quantile
from tests.builders import a_service


def test_more_reserve_is_worth_its_price_where_the_load_is_low() -> None:
    service = a_service(quantile=0.5)
    low, high = (reserve_quantile(service, rps) for rps in (5.0, 100.0))
    assert high < low < 1.0


def test_what_is_rare_is_less_known_the_fewer_requests_there_were() -> None:
    dear_to_lose = a_service(quantile=0.5, cost_weight=0.0)
    few, many = (reserve_quantile(dear_to_lose, rps) for rps in (2.0, 200.0))
    assert few < 0.99 < many < 1.0


def test_what_the_spec_asks_for_is_the_least() -> None:
    assert reserve_quantile(a_service(quantile=0.97), 1e6) == 0.97
    assert reserve_quantile(a_service(quantile=0.999), 1.0) == 0.999


def test_without_a_price_for_accuracy_the_spec_decides() -> None:
    assert reserve_quantile(a_service(accuracy_weight=0.0, quantile=0.9), 5.0) == 0.9
