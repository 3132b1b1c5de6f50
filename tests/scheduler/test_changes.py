"""What is served changes while it is served: models come, go, are pinned, loaded and unloaded."""

from math import inf

import pytest

from infadapter_scheduler import (
    Action,
    Arrived,
    Event,
    ExecutorJoined,
    ExecutorLeft,
    Finished,
    Gone,
    KeepLoaded,
    Load,
    Loaded,
    LoadWanted,
    Model,
    ModelAdded,
    ModelRemoved,
    Profiled,
    Reason,
    Refuse,
    Run,
    Scheduler,
    SpeedChanged,
    Unload,
    UnloadWanted,
)

TEN_MS = {1: 0.01}


def model(name: str, pages: int = 1, load_s: float = 0.005) -> Model:
    return Model(name, TEN_MS, load_s, pages)


class Pod:
    """A scheduler, told events at a time of its own."""

    def __init__(
        self,
        *names: str,
        pages: int | None = None,
        resident: tuple[str, ...] = (),
        shared_load: bool = False,
    ) -> None:
        self.scheduler = Scheduler([model(name) for name in names])
        self.now_s = 0.0
        self.tell(ExecutorJoined("e", pages, resident, shared_load))

    def tell(self, event: Event) -> list[Action]:
        return self.scheduler.handle(event, self.now_s)

    def arrive(self, number: int, name: str, slo_s: float = 1.0) -> list[Action]:
        return self.tell(Arrived(number, name, self.now_s + slo_s))

    def finish(self, run: int, took_s: float = 0.01, done: bool = True) -> list[Action]:
        start_s, self.now_s = self.now_s, self.now_s + took_s
        return self.tell(Finished("e", run, start_s, self.now_s, done))

    def load(self, name: str, took_s: float = 0.005, done: bool = True) -> list[Action]:
        start_s, self.now_s = self.now_s, self.now_s + took_s
        return self.tell(Loaded("e", name, start_s, self.now_s, done))


def kinds(actions: list[Action]) -> list[str]:
    return [type(action).__name__ for action in actions]


def test_a_model_that_is_added_is_served_by_a_load_on_demand() -> None:
    pod = Pod()
    assert pod.arrive(0, "a") == [Refuse(0, Reason.UNKNOWN_MODEL, inf)]
    assert pod.tell(ModelAdded(model("a"))) == []
    assert kinds(pod.arrive(1, "a")) == ["Load"]
    assert kinds(pod.load("a")) == ["Run"]


def test_of_a_removed_model_the_accepted_are_served_before_it_is_unloaded() -> None:
    pod = Pod("a", resident=("a",))
    pod.arrive(0, "a")
    pod.arrive(1, "a")
    assert pod.tell(ModelRemoved("a")) == []
    assert pod.arrive(2, "a") == [Refuse(2, Reason.UNKNOWN_MODEL, inf)]
    assert kinds(pod.finish(1)) == ["Run"]
    assert pod.finish(2) == [Unload("e", "a")]
    assert "a" not in pod.scheduler.state.models


def test_a_removed_model_that_is_being_loaded_is_unloaded_once_it_is_there() -> None:
    pod = Pod("a")
    pod.tell(LoadWanted("a"))
    assert pod.tell(ModelRemoved("a")) == []
    assert pod.load("a") == [Unload("e", "a")]


def test_what_nobody_waits_for_does_not_keep_a_removed_model() -> None:
    pod = Pod("a", "b", resident=("a", "b"))
    pod.arrive(0, "b")
    pod.arrive(1, "a")
    pod.tell(ModelRemoved("a"))
    assert pod.tell(Gone(1)) == [Unload("e", "a")]


def test_a_model_that_is_added_again_waits_until_the_old_weights_are_gone() -> None:
    pod = Pod("a", resident=("a",))
    pod.arrive(0, "a")
    assert pod.tell(ModelAdded(Model("a", {1: 0.02}, 0.005, 1))) == []
    (refusal,) = pod.arrive(1, "a")
    assert isinstance(refusal, Refuse)
    assert refusal.reason is Reason.NO_MEMORY
    assert pod.finish(1) == [Unload("e", "a")]
    assert kinds(pod.arrive(2, "a")) == ["Load"]
    (run,) = pod.load("a")
    assert isinstance(run, Run)
    assert run.expected_s == 0.02


def test_removed_and_added_at_once_is_unloaded_and_served_anew() -> None:
    pod = Pod("a", resident=("a",))
    assert pod.tell(ModelRemoved("a")) == [Unload("e", "a")]
    pod.tell(ModelAdded(model("a")))
    assert kinds(pod.arrive(0, "a")) == ["Load"]


def test_what_is_accepted_of_a_removed_model_is_not_loaded_elsewhere() -> None:
    """Its files may be gone: who waited for a lost executor is told."""
    pod = Pod("a", resident=("a",))
    pod.tell(ExecutorJoined("f", None, ()))
    pod.arrive(0, "a")
    pod.arrive(1, "a")
    pod.tell(ModelRemoved("a"))
    actions = pod.tell(ExecutorLeft("e"))
    assert [(a.request, a.reason) for a in actions if isinstance(a, Refuse)] == [
        (0, Reason.EXECUTOR_LEFT),
        (1, Reason.EXECUTOR_LEFT),
    ]
    assert kinds(actions) == ["Refuse", "Refuse"]
    assert "a" not in pod.scheduler.state.models


def test_who_joins_with_weights_that_nobody_serves_unloads_them() -> None:
    pod = Pod("a")
    assert pod.tell(ExecutorJoined("f", 4, ("a", "z"))) == [Unload("f", "z")]


def test_a_profile_is_the_estimate_from_then_on() -> None:
    pod = Pod("a", resident=("a",))
    pod.tell(Profiled("a", {1: 0.03, 64: 1.0}, load_s=0.2))
    (run,) = pod.arrive(0, "a")
    assert isinstance(run, Run)
    assert run.expected_s == 0.03
    assert kinds(pod.arrive(1, "a", slo_s=0.05)) == ["Refuse"]
    assert pod.scheduler.state.models["a"].costs.load.mean == 0.2


@pytest.mark.parametrize(("factor", "accepted"), [(0.5, True), (1.0, True), (2.0, False)])
def test_admission_counts_with_the_speed_as_it_is(factor: float, accepted: bool) -> None:
    """One runs until 10 ms, one is planned behind it: the third is due 35 ms from now."""
    pod = Pod("a", resident=("a",))
    pod.arrive(0, "a")
    pod.arrive(1, "a")
    pod.tell(SpeedChanged(factor))
    assert kinds(pod.arrive(2, "a", slo_s=0.035)) == ([] if accepted else ["Refuse"])


def test_each_request_takes_longer_by_what_is_done_beside_it() -> None:
    pod = Pod("a", resident=("a",))
    costs = pod.scheduler.state.models["a"].costs
    before = {size: costs.seconds[size] for size in costs.sizes}
    pod.tell(SpeedChanged(2.0, 0.003))
    assert {size: costs.seconds[size] for size in costs.sizes} == pytest.approx(
        {size: 2 * seconds + size * 0.003 for size, seconds in before.items()}
    )
    (run,) = pod.arrive(0, "a")
    assert isinstance(run, Run)
    pod.tell(SpeedChanged(1.0, -0.001))
    executor = pod.scheduler.state.executors["e"]
    assert executor.sent[0].expected_s == pytest.approx(run.expected_s - 0.001)
    assert executor.booked_s == pytest.approx(run.expected_s - 0.001)


def test_what_ran_while_the_speed_changed_teaches_nothing() -> None:
    pod = Pod("a", resident=("a",))
    pod.arrive(0, "a")
    pod.tell(SpeedChanged(2.0))
    pod.finish(1, took_s=0.011)
    assert pod.scheduler.state.models["a"].costs.seconds[1] == pytest.approx(0.02)
    assert pod.scheduler.state.buffer.seconds(1.0, 0.01) == 0.0


def test_a_speed_that_is_none_is_not_taken() -> None:
    with pytest.raises(ValueError, match="0 times"):
        Pod("a").tell(SpeedChanged(0.0))


def test_what_is_kept_is_not_evicted_until_it_is_kept_no_longer() -> None:
    pod = Pod("a", "b", pages=1, resident=("a",))
    pod.tell(KeepLoaded("a", True))
    assert kinds(pod.arrive(0, "b")) == ["Refuse"]
    pod.tell(KeepLoaded("a", False))
    assert kinds(pod.arrive(1, "b")) == ["Unload", "Load"]


def test_what_is_kept_is_loaded_elsewhere_when_its_executor_is_lost() -> None:
    pod = Pod("a", resident=("a",))
    pod.tell(ExecutorJoined("f", 4, ()))
    pod.tell(KeepLoaded("a", True))
    (load,) = pod.tell(ExecutorLeft("e"))
    assert isinstance(load, Load)
    assert (load.executor, load.model) == ("f", "a")


def test_a_load_that_is_asked_for_evicts_once_there_is_room() -> None:
    pod = Pod("a", "b", pages=1, resident=("a",))
    pod.arrive(0, "a")
    assert pod.tell(LoadWanted("b")) == []
    assert kinds(pod.finish(1)) == ["Unload", "Load"]
    assert pod.tell(LoadWanted("b")) == []


def test_an_unload_waits_for_what_was_accepted_and_takes_nobody_new() -> None:
    pod = Pod("a", resident=("a",))
    pod.arrive(0, "a")
    pod.arrive(1, "a")
    assert pod.tell(UnloadWanted("a")) == []
    assert kinds(pod.arrive(2, "a")) == ["Refuse"]
    assert kinds(pod.finish(1)) == ["Run"]
    assert pod.finish(2) == [Unload("e", "a")]
    assert kinds(pod.arrive(3, "a")) == ["Load"], "on demand, as any other"


def test_a_load_takes_back_an_unload_that_is_yet_to_come() -> None:
    pod = Pod("a", resident=("a",))
    pod.arrive(0, "a")
    pod.tell(UnloadWanted("a"))
    assert pod.tell(LoadWanted("a")) == []
    assert pod.finish(1) == []
    assert kinds(pod.arrive(1, "a")) == ["Run"]


def test_changes_of_unknown_models_change_nothing() -> None:
    pod = Pod("a", resident=("a",))
    for event in (ModelRemoved("z"), Profiled("z", {}), LoadWanted("z"), UnloadWanted("z")):
        assert pod.tell(event) == []


def test_a_load_among_executions_is_sent_only_if_it_makes_nobody_late() -> None:
    pod = Pod("a", "b", resident=("a",), shared_load=True)
    pod.arrive(0, "a")
    pod.arrive(1, "a", slo_s=0.023)
    assert kinds(pod.arrive(2, "b")) == ["Refuse"], "5 ms of loading make 25 ms for the second"
    assert kinds(pod.finish(1)) == ["Run"]
    assert kinds(pod.arrive(3, "b")) == ["Load"]


def test_executions_wait_for_a_load_that_was_sent_before_and_admission_knows() -> None:
    pod = Pod("a", "b", resident=("a",), shared_load=True)
    assert kinds(pod.arrive(0, "b")) == ["Load"]
    assert kinds(pod.arrive(1, "a", slo_s=0.0149)) == ["Refuse"]
    assert kinds(pod.arrive(2, "a", slo_s=0.0151)) == []
    (run,) = pod.load("b")
    assert isinstance(run, Run)
    assert run.batch == (2,)


def test_beside_executions_the_same_load_delays_nobody() -> None:
    pod = Pod("a", "b", resident=("a",))
    assert kinds(pod.arrive(0, "b")) == ["Load"]
    assert kinds(pod.arrive(1, "a", slo_s=0.0101)) == ["Run"]


def test_a_load_that_is_asked_for_does_not_starve_among_executions() -> None:
    """One runs and two are planned, always, each as late as it may be: admission leaves room."""
    pod = Pod("a", "b", resident=("a",), shared_load=True)
    for number in range(-3, 0):
        pod.arrive(number, "a", slo_s=0.0315)
    assert pod.tell(LoadWanted("b")) == []
    sent: list[str] = []
    for step in range(1, 100):
        pod.now_s = 0.001 * step
        if step % 10 == 0 and "Load" not in sent:
            sent += kinds(pod.tell(Finished("e", step // 10, pod.now_s - 0.01, pod.now_s)))
        sent += kinds(pod.arrive(step, "a", slo_s=0.0315))
    assert "Load" in sent


@pytest.mark.parametrize("shared_load", [False, True])
def test_a_load_waits_for_pages_that_are_in_use_and_will_be_free_in_time(shared_load: bool) -> None:
    pod = Pod("a", "b", pages=1, resident=("a",), shared_load=shared_load)
    assert kinds(pod.arrive(1, "a")) == ["Run"]
    assert pod.arrive(2, "a") == []
    assert pod.arrive(3, "b") == []  # accepted: a is idle after its second one
    assert pod.arrive(4, "b") == []  # as everybody who comes until then
    (later,) = pod.arrive(5, "a", slo_s=0.03)  # a takes nobody any more
    assert isinstance(later, Refuse)
    assert kinds(pod.finish(1)) == ["Run"]
    assert kinds(pod.finish(2)) == ["Unload", "Load"]
    assert kinds(pod.load("b")) == ["Run"]
    assert kinds(pod.finish(3)) == ["Run"]
    assert pod.finish(4) == []


def test_a_load_that_would_wait_too_long_for_pages_is_refused() -> None:
    pod = Pod("a", "b", pages=1, resident=("a",))
    for number in range(4):
        pod.arrive(number, "a")
    (refusal,) = pod.arrive(5, "b", slo_s=0.054)  # 40 ms of a, 5 for the load and 10 of b
    assert isinstance(refusal, Refuse)
    assert refusal.reason in (Reason.NO_TIME, Reason.NO_MEMORY)
    assert pod.arrive(6, "b", slo_s=0.056) == []


def test_if_nobody_waits_any_more_for_a_load_nobody_makes_way_for_it() -> None:
    pod = Pod("a", "b", pages=1, resident=("a",))
    pod.arrive(1, "a")
    assert pod.arrive(2, "b") == []
    assert pod.tell(Gone(2)) == []
    assert pod.arrive(3, "a") == []
    assert kinds(pod.finish(1)) == ["Run"]
    assert pod.finish(2) == []


def test_who_made_way_is_left_in_peace_for_a_while_but_for_those_who_are_asked_for_more() -> None:
    pod = Pod("a", "b", pages=1, resident=("a",))
    pod.arrive(1, "a")
    pod.arrive(2, "b")
    pod.finish(1)
    pod.load("b")  # and b runs
    (refusal,) = (a for a in pod.arrive(3, "a") if isinstance(a, Refuse))
    assert refusal.reason is Reason.NO_MEMORY
    pod.finish(2)
    pod.now_s += 1.0  # 30 loads later
    pod.arrive(4, "b")
    assert pod.arrive(5, "a") == []


def test_an_executor_that_leaves_before_a_load_was_sent_takes_nothing_with_it() -> None:
    pod = Pod("a", "b", pages=1, resident=("a",))
    pod.arrive(1, "a")
    pod.arrive(2, "b")
    refused = [a.request for a in pod.tell(ExecutorLeft("e")) if isinstance(a, Refuse)]
    assert refused == [1, 2]
    pod.tell(ExecutorJoined("e", 1, ("a",)))
    assert kinds(pod.arrive(3, "b")) == ["Unload", "Load"]


def test_a_model_that_is_removed_while_its_load_waits_serves_and_goes() -> None:
    pod = Pod("a", "b", pages=1, resident=("a",))
    pod.arrive(1, "a")
    pod.arrive(2, "b")
    pod.tell(ModelRemoved("b"))
    assert kinds(pod.finish(1)) == ["Unload", "Load"]
    assert kinds(pod.load("b")) == ["Run"]
    assert kinds(pod.finish(2)) == ["Unload"]


def test_a_removed_model_cannot_be_loaded_by_asking() -> None:
    pod = Pod("a", resident=("a",))
    pod.arrive(0, "a")
    pod.tell(ModelRemoved("a"))
    assert pod.tell(LoadWanted("a")) == []
    assert pod.finish(1) == [Unload("e", "a")]
