"""Operating points in executors: a run names its point, in a thread and in a child process."""

import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from infadapter_server.executors.messages import Infer, LoadModel, ModelLoaded, Outcome
from infadapter_server.executors.opening import Opener, torch_opener
from infadapter_server.executors.process import ProcessExecutor
from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.networks.adaptive.points import Point
from infadapter_server.networks.models import open_plain, open_stored
from infadapter_server.networks.signatures import Floats, Signature
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.config_keys import ConfigError
from infadapter_server.serving.layout import Found, found_folder, found_variant
from infadapter_server.serving.model_config import read_config
from tests.model_variants.executor_rig import Rig, outputs
from tests.model_variants.fake_models import LATER, prepare

EXAMPLE = Path(__file__).parents[2] / "docs/examples/early-exit"
PLAIN = Stored(
    name="points",
    version="1",
    format=Format.VARIANT,
    signature=Signature(input_shape=(2,), output_shape=(2,)),
    batch_sizes=(1, 2),
)


class Times:
    """Answers with its input times the number that its point is named after."""

    points = (Point("3", 0.9, {}), Point("2", 0.8, {}))
    weights_bytes = 8

    def run(self, batch: Floats, point: str) -> Floats:
        answer: Floats = batch * np.float32(point)
        return answer

    def use_threads(self, threads: int) -> None:
        pass


def opening_times() -> Opener:
    return lambda _: Times()


@pytest.fixture(params=["thread", "process"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    if request.param == "thread":
        rig = Rig(ThreadExecutor("executor", lambda _: Times()))
    else:
        rig = Rig(ProcessExecutor("executor", opening_times, slot_bytes=1024))
    rig.ready()
    yield rig
    rig.executor.stop(within_s=60)


def run(rig: Rig, point: str) -> Any:
    row = np.ones((1, 2), np.float32)
    rig.submit(Infer(1, "points", (row,), 0.0, LATER, point))
    return rig.inferred()


def test_a_run_is_at_the_point_that_it_names_and_a_load_measures_all(rig: Rig) -> None:
    rig.submit(LoadModel(PLAIN, 0.0, LATER))
    loaded = rig.loaded()
    assert [point.name for point in loaded.points] == ["2", "3"]
    assert all(set(point.execution_s) == {1, 2} for point in loaded.points)
    assert loaded.execution_s == loaded.points[-1].execution_s
    assert [outputs(run(rig, point)) for point in ("2", "3", "")] == [
        [[2.0, 2.0]],
        [[3.0, 3.0]],
        [[3.0, 3.0]],
    ]
    unknown = run(rig, "4")
    assert unknown.outcome is Outcome.FAILED
    assert "There is no operating point '4': there are 2, 3." in unknown.error


def test_a_network_without_points_says_so() -> None:
    rig = Rig(ThreadExecutor("executor", prepare()))
    rig.ready()
    assert rig.load().points == ()
    row = np.ones((1, 2), np.float32)
    rig.submit(Infer(1, "doubler", (row,), 0.0, LATER, "fast"))
    assert "no operating point 'fast': this network has none." in rig.inferred().error
    rig.executor.stop(within_s=60)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ((), "has no operating points: give it at least one"),
        ((Point("a", 0.1, {}), Point("a", 0.2, {})), "two operating points of the name 'a'"),
        ((Point("", 0.1, {}),), "an operating point called '': a name has 1 to 63 printable"),
        ((Point("a,b", 0.1, {}),), "an operating point called 'a,b': a name has 1 to 63 printable"),
        ((Point("a\n", 0.1, {}),), "an operating point called 'a\\n': a name has 1 to 63"),
        ((Point(64 * "a", 0.1, {}),), "neither commas nor spaces"),
        ((Point("a", 61.0, {}),), "has the accuracy 61: it must be a fraction"),
        ((Point("a", math.nan, {}),), "has the accuracy nan: it must be a fraction"),
        ((Point("2", 0.1, {}),), "doesn't match its operating points: it knows 3. Profile it"),
        (
            (Point("2", 0.1, {}), Point("x", 0.2, {})),
            "doesn't match its operating points: it knows 3 and lacks x",
        ),
    ],
)
def test_points_that_can_not_be_served_fail_the_load(points: tuple[Point, ...], said: str) -> None:
    network = Times()
    network.points = points  # type: ignore[assignment]
    report = loaded_by(lambda _: network, profiled("2", "3"))
    assert report.outcome is Outcome.FAILED
    assert said in report.error


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            np.zeros((1, 2)),
            "for the input [1, 2] it answers float64 [1, 2], and not float32 [1, 2]",
        ),
        (np.zeros((1, 3), np.float32), "it answers float32 [1, 3], and not float32 [1, 2]"),
        (np.zeros(2, np.float32), "it answers float32 [2], and not float32 [1, 2]"),
        ([[0.0, 0.0]], "it answers list [], and not float32 [1, 2]"),
        (torch.zeros(1, 2), "it answers torch.float32 [1, 2], and not float32 [1, 2]"),
    ],
)
def test_an_answer_of_another_kind_or_shape_than_configured_fails_the_load(
    answer: Any, said: str
) -> None:
    network = Times()
    network.run = lambda *_: answer  # type: ignore[method-assign]
    report = loaded_by(lambda _: network, PLAIN)
    assert report.outcome is Outcome.FAILED
    assert said in report.error


@pytest.mark.parametrize("weights_bytes", [None, 1.5, -1])
def test_a_network_that_does_not_say_its_size_fails_the_load(weights_bytes: Any) -> None:
    network = Times()
    network.weights_bytes = weights_bytes
    report = loaded_by(lambda _: network, PLAIN)
    assert report.outcome is Outcome.FAILED
    assert f"has the weights_bytes {weights_bytes}: it must be a whole number" in report.error


def profiled(*names: str) -> Stored:
    return Stored(
        name="points",
        version="1",
        format=Format.VARIANT,
        signature=PLAIN.signature,
        profiled_points=names,
    )


def loaded_by(opener: Opener, stored: Stored) -> ModelLoaded:
    rig = Rig(ThreadExecutor("executor", opener))
    rig.ready()
    rig.submit(LoadModel(stored, 0.0, LATER))
    report = rig.loaded()
    rig.executor.stop(within_s=60)
    return report


# --- a ladder of ordinary networks -----------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "1").mkdir()
    return tmp_path


def configured(folder: Path, config: str) -> Found:
    (folder / "config.yaml").write_text(config)
    found = found_folder("model", folder)
    assert isinstance(found, Found), found
    return found


def test_a_ladder_answers_as_its_rungs_do_and_takes_their_memory(folder: Path) -> None:
    found = configured(folder, "ladder: [glyph-2, glyph-1]\nbatch_sizes: [1, 2]\n")
    report = loaded_by(torch_opener(), found.stored)
    assert report.error == ""
    assert [point.name for point in report.points] == ["glyph-1", "glyph-2"]
    rungs = [open_plain(found_variant("any", name).stored) for name in ("glyph-1", "glyph-2")]
    assert report.weights_bytes == sum(rung.weights_bytes for rung in rungs)
    ladder, images = open_stored(found.stored), np.random.rand(2, 1, 32, 32).astype(np.float32)
    for point, rung in zip(report.points, rungs, strict=True):
        np.testing.assert_array_equal(ladder.run(images, point.name), rung(images))  # type: ignore[union-attr]


def test_rungs_may_be_files_whose_change_makes_another_model(folder: Path) -> None:
    from torch import nn

    file = folder / "1" / "small.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(nn.Linear(4, 3), torch.zeros(1, 4))  # type: ignore[no-untyped-call]
        torch.jit.save(traced, str(file))
    config = (
        "input: {name: x, shape: [4]}\noutput: {name: y, shape: [3]}\n"
        "ladder: [{name: small, file: small.pt, accuracy: 0.8}]\nbatch_sizes: [1]\n"
    )
    found = configured(folder, config)
    assert found.file_bytes == file.stat().st_size
    report = loaded_by(torch_opener(), found.stored)
    assert [(point.name, point.accuracy) for point in report.points] == [("small", 0.8)]
    file.write_bytes(b"another")
    assert configured(folder, config).stamp != found.stamp


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("ladder: glyph-1", "ladder must be a list of variants, or of name, file and accuracy"),
        ("ladder: []", "ladder must be a list of variants"),
        ("ladder: [glyph-9]", r"ladder\[0\] 'glyph-9' is unknown: choose one of"),
        ("ladder: [glyph-1, glyph-1]", "ladder has two rungs of the name glyph-1"),
        ("ladder: [glyph-1, resnet18]", "glyph-1 and resnet18 take or give different tensors"),
        ("ladder: [{name: a, file: ../a.pt, accuracy: 1}]", r"ladder\[0\]\.file must be the name"),
        ("ladder: [{name: a, file: a.pt}]", r"ladder\[0\]\.accuracy must be a number"),
        ("ladder: [{name: a, file: a.pt, accuracy: 1}]", "input and output are missing, for all"),
        ("ladder: [glyph-1]\nvariant: glyph-1", "variant is one network, ladder are several"),
        ("ladder: [mnist1d]", "mnist1d has operating points already: serve it without a ladder"),
        ("ladder: [glyph-1]\naccuracy: 0.9", "accuracy is that of one network: say it of each"),
        (
            "ladder: [glyph-1]\ninput: {name: x, shape: [4]}\noutput: {name: y, shape: [3]}",
            "input and output are those of glyph-1",
        ),
        (
            "variant: mnist1d\nprofile: {load_seconds: 1, points: {subnet-1: {1: 0.1}}}",
            r"profile\.points\.subnet-1 lacks the batch size 2",
        ),
        (
            "variant: mnist1d\nprofile: {load_seconds: 1, points: []}",
            r"profile\.points must be seconds by batch size, by the names",
        ),
        (
            "variant: mnist1d\n"
            "profile: {load_seconds: 1, points: {a: {1: 1}}, execution_seconds: {1: 1}}",
            "execution_seconds are those of points: give one of the two",
        ),
    ],
)
def test_a_configuration_of_points_that_can_not_be_says_why(
    folder: Path, config: str, said: str
) -> None:
    (folder / "config.yaml").write_text(config)
    with pytest.raises(ConfigError, match=said):
        read_config(folder / "config.yaml")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("ladder: [resnet18]", "no weights of resnet18 ship with the server: name a file of it"),
        (
            "input: {name: x, shape: [4]}\noutput: {name: y, shape: [3]}\n"
            "ladder: [{name: a, file: a.pt, accuracy: 1}]",
            "has no a.pt, which the ladder names",
        ),
    ],
)
def test_a_ladder_without_what_its_rungs_need_is_unfit(
    folder: Path, config: str, said: str
) -> None:
    (folder / "config.yaml").write_text(config)
    found = found_folder("model", folder)
    assert not isinstance(found, Found)
    assert said in found.reason


def test_a_profile_of_other_points_than_the_network_has_fails_the_load(folder: Path) -> None:
    found = configured(
        folder,
        "variant: mnist1d\nbatch_sizes: [1]\n"
        "profile: {load_seconds: 1, points: {subnet-1: {1: 0.1}, old: {1: 0.2}}}",
    )
    assert found.config.execution_s == {1: 0.2}
    report = loaded_by(torch_opener(), found.stored)
    assert report.outcome is Outcome.FAILED
    assert "The profile of model doesn't match its operating points: it knows old" in report.error


# --- what a user brings ----------------------------------------------------------------------


def test_the_early_exit_network_of_the_documentation_is_served(folder: Path) -> None:
    source = (EXAMPLE / "1/model.py").read_text()
    assert len(source.splitlines()) <= 40
    (folder / "1/model.py").write_text(source)
    config = (EXAMPLE / "config.yaml").read_text()
    module: dict[str, Any] = {}
    exec(compile(source, "model.py", "exec"), module)
    network = module["EarlyExit"]().eval()
    torch.save(network.state_dict(), folder / "1/weights.pth")
    found = configured(folder, config)
    report = loaded_by(torch_opener(), found.stored)
    assert report.error == ""
    assert [point.name for point in report.points] == ["exit-0", "exit-1", "exit-2"]
    assert set(report.points[0].execution_s) == {1, 2, 4, 8}
    served, signals = open_stored(found.stored), np.random.rand(2, 40).astype(np.float32)
    for point in ("exit-0", "exit-2"):
        wanted = network.run(signals, point)
        np.testing.assert_array_equal(served.run(signals, point), wanted)  # type: ignore[union-attr]


def test_the_documentation_shows_the_file_that_is_tested() -> None:
    page = (EXAMPLE.parents[1] / "models.md").read_text()
    shown = re.findall(r"```(?:python|yaml)\n(.*?)```", page, re.DOTALL)
    assert (EXAMPLE / "1/model.py").read_text() in shown
    assert (EXAMPLE / "config.yaml").read_text() in shown


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", "doesn't load a network (ZeroDivisionError: division by zero)"),
        ("raise SystemExit('needs a GPU')", "doesn't load a network (SystemExit: needs a GPU)"),
        ("import absent", "(ModuleNotFoundError: No module named 'absent')"),
        ("x = 1", "give it a function load(folder) that returns one"),
        ("load = str", "is no adaptive network: a str lacks some of points, run"),
    ],
)
def test_a_module_that_loads_no_network_says_what_it_lacks(
    folder: Path, source: str, said: str
) -> None:
    (folder / "1/model.py").write_text(source)
    found = configured(folder, (EXAMPLE / "config.yaml").read_text())
    report = loaded_by(torch_opener(), found.stored)
    assert report.outcome is Outcome.FAILED
    assert said in report.error
