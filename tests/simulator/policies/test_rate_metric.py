import numpy as np
import pytest

from infadapter_simulator.policies.kubernetes.rate_metric import RateMetric, ScrapedRate
from infadapter_simulator.policies.ticking import Ticker
from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_simulator.world.of_requests import world_of_requests
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Allocation, PodSize, Variant

METRIC = RateMetric(scrape_s=5.0, window_s=30.0)


def world_at(now_s: float) -> World:
    """10 requests per second."""
    allocation = Allocation(size=PodSize(resources={CPU: 1000}), capacity_rps=1.0)
    scenario = Scenario(
        variants=(Variant(name="v", accuracy=0.7, load_time_s=1.0, allocations=(allocation,)),),
        speeds={("v", allocation.size): PodSpeed(1, 0.1)},
    )
    world = world_of_requests(scenario, np.arange(0.0, 100.0, 0.1), np.empty(0), 100, 1)
    world.advance(now_s)
    return world


def test_is_the_mean_between_the_first_and_the_last_scrape_in_the_window() -> None:
    scraped = ScrapedRate(METRIC, Ticker(2.0, 5.0), 0.0)
    assert scraped.span_s(58.0, 0.5) == (32.0, 57.0)
    assert scraped.rps(world_at(58.0)) == pytest.approx(10.0)


def test_a_scrape_is_known_only_after_the_lag() -> None:
    scraped = ScrapedRate(METRIC, Ticker(2.0, 5.0), 0.0)
    assert scraped.span_s(57.4, 0.5) == (32.0, 52.0)


def test_what_came_before_the_run_counts() -> None:
    scraped = ScrapedRate(METRIC, Ticker(0.0, 5.0), 40.0)
    assert scraped.rps(world_at(6.0)) == pytest.approx((20 * 40 + 5 * 10) / 25)


def test_one_scrape_in_the_window_is_no_rate() -> None:
    scraped = ScrapedRate(RateMetric(scrape_s=60.0, window_s=30.0), Ticker(0.0, 60.0), 40.0)
    assert scraped.rps(world_at(61.0)) == 0.0
