"""The models of a server: what is served, what is measured, what is refused, and how they stand."""

from collections.abc import Callable
from pathlib import Path

import pytest

from infadapter_server.executors.messages import ModelLoaded, Outcome
from infadapter_server.serving.catalogue import Changes
from infadapter_server.serving.layout import scan
from infadapter_server.serving.measurements import FILE, Measurements
from infadapter_server.serving.offered import Offered
from infadapter_server.serving.repository import NotServed, Repository
from infadapter_server.serving.standing import RETRY_S
from tests.model_variants.repositories import MIB, add

Make = Callable[..., Repository]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def build(memory_mib: float | None = None) -> Repository:
        return Repository(
            lambda: scan(tmp_path),
            Measurements(tmp_path / FILE, "here"),
            memory_bytes=None if memory_mib is None else int(memory_mib * MIB),
        )

    return build


def loaded(
    repository: Repository,
    name: str,
    mib: float = 1.0,
    *,
    executor: str = "e0",
    took_s: float = 0.5,
    alone_s: float = 0.01,
) -> None:
    stored = repository.loading(name, executor)
    sizes = {size: size * alone_s for size in stored.batch_sizes}
    report = ModelLoaded(name, Outcome.DONE, 5.0, 5.0 + took_s, int(mib * MIB), sizes)
    repository.loaded(report, executor)


def failed(repository: Repository, name: str, outcome: Outcome = Outcome.FAILED) -> None:
    repository.loading(name, "e0")
    report = ModelLoaded(name, outcome, 5.0, 6.0, error="The model is damaged.")
    repository.loaded(report, "e0")


def state(repository: Repository, name: str) -> tuple[str, str]:
    row = next(row for row in repository.index() if row["name"] == name)
    return row["state"], row["reason"]


def test_it_is_said_why_nothing_is_served_until_something_can_be(
    tmp_path: Path, make: Make
) -> None:
    assert make().unserved() is None, "there is nothing that could be"
    add(tmp_path, "big", 2.0)
    (tmp_path / "empty").mkdir()
    small = make(memory_mib=1)
    assert "big can't be served: big takes 2.0 MiB" in (small.unserved() or "")
    assert make().unserved() is None
    (tmp_path / "big/1/model.pt").unlink()
    small.take(scan(tmp_path))
    assert "big can't be served" in (small.unserved() or "")
    add(tmp_path, "empty", 0.5)
    small.take(scan(tmp_path))
    assert small.unserved() is None


def test_before_it_was_loaded_a_model_takes_what_its_file_does(tmp_path: Path, make: Make) -> None:
    add(tmp_path, "m", 2.5)
    repository = make()
    assert repository.unmeasured() == ("m",)
    assert repository.kernel_model("m").pages == 3
    assert set(repository.kernel_model("m").execution_s) == {1, 4}


def test_the_first_load_measures_bytes_and_executions_and_the_second_the_load(
    tmp_path: Path, make: Make
) -> None:
    add(tmp_path, "m", 2.5)
    repository = make()
    assert repository.loading("m").batch_sizes == (1, 4)
    loaded(repository, "m", 9.0, took_s=8.0)
    assert repository.unmeasured() == ("m",)
    assert repository.loading("m").batch_sizes == (1,)
    loaded(repository, "m", 9.0, took_s=0.5)
    loaded(repository, "m", 9.0, took_s=4.0)  # of which the scheduler's own estimate learns
    for known in (repository, make()):  # and a restart knows it
        model = known.kernel_model("m")
        assert (model.pages, model.load_s, model.execution_s) == (9, 0.5, {1: 0.01, 4: 0.04})
        assert known.unmeasured() == ()
        assert known.loading("m").batch_sizes == (1,)


def test_a_measurement_that_was_disturbed_is_corrected_by_a_later_load(
    tmp_path: Path, make: Make
) -> None:
    """An estimate beyond every deadline would never be tried, and so never corrected."""
    add(tmp_path, "m")
    repository = make()
    for alone_s in (0.9, 0.01, 0.008, 0.2):
        loaded(repository, "m", alone_s=alone_s)
        assert repository.kernel_model("m").execution_s[1] == (0.9 if alone_s == 0.9 else 0.01)
    assert make().kernel_model("m").execution_s == {1: 0.01, 4: 4 * 0.9}


def test_constants_of_a_program_count_though_they_are_no_weights(
    tmp_path: Path, make: Make
) -> None:
    add(tmp_path, "m", 3.0)
    repository = make()
    loaded(repository, "m", 0.5)
    assert repository.kernel_model("m").pages == 3


def test_a_profile_in_the_configuration_saves_the_measuring(tmp_path: Path, make: Make) -> None:
    profile = "profile: {load_seconds: 0.2, execution_seconds: {1: 0.1, 4: 0.2, 8: 0.3}}"
    add(tmp_path, "m", config=profile)
    repository = make()
    assert repository.unmeasured() == ()
    model = repository.kernel_model("m")
    assert (model.load_s, model.execution_s) == (0.2, {1: 0.1, 4: 0.2})
    loaded(repository, "m", took_s=20.0)  # in which torch was imported
    assert repository.kernel_model("m").load_s == 0.2
    loaded(repository, "m", took_s=0.5)
    assert repository.kernel_model("m").load_s == 0.5


def test_a_model_larger_than_the_bound_is_refused_with_both_numbers(
    tmp_path: Path, make: Make
) -> None:
    add(tmp_path, "small", 2.0)
    add(tmp_path, "large", 5.0)
    repository = make(4.0)
    assert repository.pages == 4
    assert set(repository.models()) == {"small"}
    with pytest.raises(
        NotServed, match=r"takes 5\.0 MiB, and all .* 4\.0 MiB: give .*--memory"
    ) as no:
        repository.resolve("large", None, 0.0)
    assert no.value.status == 507
    assert state(repository, "large")[0] == "UNAVAILABLE"
    assert "takes 5.0 MiB" in state(repository, "large")[1]
    loaded(repository, "small", 4.5)  # packed: more than its file says
    assert set(repository.models()) == set()


def test_what_is_not_there_or_not_fit_is_refused(tmp_path: Path, make: Make) -> None:
    add(tmp_path, "m", version="3")
    add(tmp_path, "spoilt", config="colour: red")
    repository = make()
    assert repository.resolve("m", "3", 0.0).stored.version == "3"
    refused = {}
    for name, version in (("n", None), ("m", "2"), ("spoilt", None)):
        with pytest.raises(NotServed) as no:
            repository.resolve(name, version, 0.0)
        refused[name] = (no.value.status, str(no.value))
    assert refused["n"] == (404, "There is no model 'n' here.")
    assert refused["m"] == (404, "There is no version '2' of m; there is 3.")
    assert refused["spoilt"][0] == 503
    assert "colour is no key" in refused["spoilt"][1]
    assert "colour is no key" in state(repository, "spoilt")[1]


def test_a_failed_load_is_remembered_for_a_while(tmp_path: Path, make: Make) -> None:
    add(tmp_path, "m")
    repository = make()
    failed(repository, "m")
    assert state(repository, "m") == ("UNAVAILABLE", "The model is damaged.")
    with pytest.raises(NotServed, match="m can't be served: The model is damaged") as no:
        repository.resolve("m", None, 6.0 + RETRY_S - 1)
    assert no.value.status == 503
    repository.resolve("m", None, 6.0 + RETRY_S)
    loaded(repository, "m")
    repository.resolve("m", None, 7.0)
    assert state(repository, "m") == ("READY", "")


def test_a_load_that_came_too_late_says_nothing_of_the_model(tmp_path: Path, make: Make) -> None:
    add(tmp_path, "m")
    repository = make()
    failed(repository, "m", Outcome.TOO_LATE)
    repository.resolve("m", None, 6.0)
    assert state(repository, "m") == ("UNAVAILABLE", "unloaded")


def test_a_mended_file_is_tried_at_once(tmp_path: Path, make: Make) -> None:
    add(tmp_path, "m")
    repository = make()
    failed(repository, "m")
    add(tmp_path, "m", 1.5)
    assert repository.take(repository.read()) == Changes((), ("m",), ())
    repository.resolve("m", None, 6.0)


def test_states_are_those_of_triton(tmp_path: Path, make: Make) -> None:
    add(tmp_path, "m")
    repository = make()
    seen = [state(repository, "m")]
    standing = repository.standing("m")
    repository.loading("m", "e0")
    seen.append(state(repository, "m"))
    loaded(repository, "m")
    seen.append(state(repository, "m"))
    standing.unloading()
    seen.append(state(repository, "m"))
    standing.unloaded("e0")
    seen.append(state(repository, "m"))
    assert seen == [
        ("UNAVAILABLE", "unloaded"),
        ("LOADING", ""),
        ("READY", ""),
        ("UNLOADING", ""),
        ("UNAVAILABLE", "unloaded"),
    ]


def test_one_copy_in_memory_is_enough_to_be_ready(tmp_path: Path, make: Make) -> None:
    add(tmp_path, "m")
    repository = make()
    loaded(repository, "m", executor="e0")
    repository.loading("m", "e1")
    assert repository.index(ready=True) == [
        {"name": "m", "version": "1", "state": "READY", "reason": ""}
    ]
    repository.standing("m").unloaded("e0")
    assert state(repository, "m") == ("LOADING", "")
    assert repository.index(ready=True) == []


def test_a_rescan_tells_what_is_new_other_or_gone(tmp_path: Path, make: Make) -> None:
    for name in ("stays", "grows", "goes"):
        add(tmp_path, name)
    repository = make()
    assert repository.take(repository.read()) == Changes((), (), ())
    add(tmp_path, "comes")
    add(tmp_path, "grows", version="2")
    for path in sorted((tmp_path / "goes").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (tmp_path / "goes").rmdir()
    assert repository.take(repository.read()) == Changes(("comes",), ("grows",), ("goes",))
    assert repository.models()["grows"].version == "2"


def test_a_request_is_answered_under_the_version_that_is_there_now(
    tmp_path: Path, make: Make
) -> None:
    add(tmp_path, "m", version="1")
    repository = make()
    models = Offered(repository)
    assert models["m"] is models["m"], "made once, and not for each request"
    add(tmp_path, "m", version="2")
    repository.take(scan(tmp_path))
    assert models["m"].variant == "2"


def test_what_was_measured_of_a_file_that_changed_meanwhile_is_not_remembered(
    tmp_path: Path, make: Make
) -> None:
    add(tmp_path, "m")
    repository = make()
    repository.loading("m", "e0")
    add(tmp_path, "m", version="2")
    repository.take(repository.read())
    repository.loaded(ModelLoaded("m", Outcome.DONE, 1.0, 2.0, MIB, {1: 0.01, 4: 0.03}), "e0")
    assert repository.unmeasured() == ("m",)


def test_pinned_models_are_named(tmp_path: Path, make: Make) -> None:
    add(tmp_path, "m", config="pinned: true")
    add(tmp_path, "n")
    assert make().pinned() == ("m",)


def test_what_can_t_be_served_is_said_once_in_the_log_as_soon_as_it_is_read(
    tmp_path: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    repository = make(memory_mib=2)
    add(tmp_path, "good", 1.0)
    add(tmp_path, "large", 3.0)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.yaml").write_text("variant: [")
    repository.take(repository.read())
    repository.take(repository.read())
    empty, *others = (record.getMessage() for record in caplog.records)
    assert empty == "There is no model to serve: a model is a folder NAME in the repository."
    assert [line.partition(" can't be served: ")[0] for line in others] == ["large", "odd"]
    assert "more --memory" in others[0]
