"""
Run the loop in virtual time, one reconcile cycle at a time, and check its contract after each.

Plans are computed on the event loop itself: passing one to a thread takes as long as solving it.
"""

from dataclasses import dataclass, field

from infadapter_operator.domain.ports import Ports
from infadapter_operator.domain.situation import State
from infadapter_operator.planning.quotas import within_quotas
from infadapter_operator.reconcile import Cycle, reconcile
from infadapter_simulator.policies.ours import planned
from tests.operator.loop_contract import Contract, contract_for
from tests.operator.loop_world import World


@dataclass(slots=True, kw_only=True)
class Runner:
    """Runs a reconcile cycle every `every_s` seconds."""

    world: World
    every_s: float = 1.0
    state: State = field(default_factory=State)
    looks: list[Cycle] = field(default_factory=list)
    contract: Contract = field(init=False)

    def __post_init__(self) -> None:
        world, confirm_s = self.world, self.world.scenario.weights_lag_s
        self.contract = contract_for(world.service, world.room, confirm_s, self.every_s)

    async def look(self) -> Cycle:
        world = self.world
        ports = Ports(world.load, world, world)
        seen = await reconcile(world.service, self.state, ports, world.now_s, planning=planned)
        self.state = seen.state
        self.looks.append(seen)
        return seen

    async def run(self, seconds: float) -> list[Cycle]:
        first = len(self.looks)
        until_s = self.world.now_s + seconds
        carried_rps = self.world.carried_rps()
        while self.world.now_s < until_s - 1e-9:
            await self.look()
            self.world.advance(self.world.now_s + self.every_s)
            carried_rps = self._checked(carried_rps)
        return self.looks[first:]

    def restart(self) -> None:
        """Restart the operator: it loses all state except the decision, which the status keeps."""
        self.state = State(decision=self.state.decision)

    def _checked(self, before_rps: float) -> float:
        """Check the contract for the last cycle, and return the capacity with traffic after it."""
        world = self.world
        after_rps = world.carried_rps()
        self.contract.service = within_quotas(world.service, world.seen().quotas)
        self.contract.check(self.looks, world.now_s, before_rps, after_rps)
        if world.is_within_quota():  # a new quota removes nothing that is held already
            self.contract.check_held(world.shown(), self.looks)
        return after_rps
