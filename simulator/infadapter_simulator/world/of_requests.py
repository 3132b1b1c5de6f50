"""The usual world, in which single requests arrive."""

from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.queues import Floats
from infadapter_simulator.world.scraped import Scraped
from infadapter_simulator.world.traffic import Traffic
from infadapter_simulator.world.world import World


def world_of_requests(
    scenario: Scenario,
    arrivals_s: Floats,
    history_rps: Floats,  # by second, the last one ends at 0
    seconds: int,
    seed: int,
) -> World:
    traffic = Traffic(arrivals_s, scenario, seed)
    scraped = Scraped(history_rps, arrivals_s, seconds)
    return World(scenario, traffic, scraped.until, seconds=seconds, seed=seed)
