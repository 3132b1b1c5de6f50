"""ONNX models: what their files say, what is computed with them, and the sentence where not."""

import os
import random
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from torch import nn

from infadapter_server.executors.messages import Outcome
from infadapter_server.networks.ladder import blank
from infadapter_server.networks.models import open_plain
from infadapter_server.networks.onnx_header import OnnxHeader, _Walk, read_header
from infadapter_server.networks.signatures import SIGNATURES, LoadError, Signature
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.layout import Found, Unfit, found_file, found_folder, scan
from infadapter_server.serving.measurements import Measurements
from infadapter_server.serving.model_config import ModelConfig
from infadapter_server.serving.onnx_config import read_onnx
from infadapter_server.serving.repository import Repository
from tests.model_variants.onnx_files import linear, save, some, value
from tests.model_variants.test_programs import loaded

SIZES = (1, 2, 4, 8)


@pytest.fixture
def network() -> nn.Linear:
    torch.manual_seed(5)
    return nn.Linear(4, 3)


def found(file: Path) -> Found:
    entry = found_file("m", file)
    assert isinstance(entry, Found), entry
    return entry


def unfit(file: Path) -> str:
    entry = found_file("m", file)
    assert isinstance(entry, Unfit), entry
    return entry.reason


def expected(network: nn.Module, batch: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        answer: np.ndarray = network(torch.from_numpy(batch)).numpy()
    return answer


# --- what a file says --------------------------------------------------------------------------


def test_a_file_says_its_signature_and_takes_any_batch(tmp_path: Path, network: nn.Linear) -> None:
    stored = found(linear(tmp_path / "a.onnx", network)).stored
    assert (stored.format, stored.batch_sizes) == (Format.ONNX, SIZES)
    assert stored.signature == Signature(
        input_shape=(4,), output_shape=(3,), input_name="x", output_name="y"
    )


def test_a_folder_without_a_configuration_will_do(tmp_path: Path, network: nn.Linear) -> None:
    linear(tmp_path / "m" / "7" / "model.onnx", network)
    entry = found_folder("m", tmp_path / "m")
    assert isinstance(entry, Found)
    assert (entry.stored.version, entry.stored.signature.input_shape) == ("7", (4,))


def test_one_whose_configuration_is_tritons_is_served_and_the_log_says_once_what_is_not_read(
    tmp_path: Path, network: nn.Linear, caplog: pytest.LogCaptureFixture
) -> None:
    file = linear(tmp_path / "m" / "7" / "model.onnx", network)
    (tmp_path / "m" / "config.pbtxt").write_text("max_batch_size: 8")
    told = found(file).unread
    assert told.startswith(f"{tmp_path}/m/config.pbtxt is not read: what it says")
    repository = Repository(lambda: scan(tmp_path), Measurements(None))
    repository.take(repository.read())
    assert [record.getMessage() for record in caplog.records] == [f"m: {told}"]
    (tmp_path / "m" / "config.yaml").write_text("batch_sizes: [1]")
    assert not found(file).unread


def test_a_fixed_batch_of_one_is_never_joined_with_others(
    tmp_path: Path, network: nn.Linear
) -> None:
    file = linear(tmp_path / "a.onnx", network, taken=(1, 4), given=(1, 3))
    assert found(file).stored.batch_sizes == (1,)
    (tmp_path / "config.yaml").write_text("batch_sizes: [1, 2]")
    assert "takes one image at a time: export it with a dynamic batch, or say" in unfit(file)


def test_another_fixed_batch_is_refused(tmp_path: Path, network: nn.Linear) -> None:
    file = linear(tmp_path / "a.onnx", network, taken=(8, 4), given=(8, 3))
    assert "takes batches of 8 and no others: export it with a dynamic batch" in unfit(file)


def test_what_a_file_leaves_open_its_configuration_says(tmp_path: Path) -> None:
    relu = helper.make_node("Relu", ["x"], ["y"])
    shape = ("n", 3, "height", None)
    file = save(tmp_path / "a.onnx", [relu], [value("x", shape)], [value("y", None)], checked=False)
    assert "leaves sizes of its input x open, [3, height, ?] behind the batch" in unfit(file)
    config = "input: {name: x, shape: [3, 8, 8]}\noutput: {name: y, shape: [3, 8, 8]}\n"
    (tmp_path / "config.yaml").write_text(config)
    stored = found(file).stored
    assert stored.signature.input_shape == stored.signature.output_shape == (3, 8, 8)
    assert loaded(stored).outcome is Outcome.DONE
    (tmp_path / "config.yaml").write_text(config.replace("[3, 8, 8]", "[4, 8, 8]"))
    assert "has the input shape [3, height, ?], and not [4, 8, 8] as config.yaml" in unfit(file)


def test_of_several_outputs_the_configuration_chooses_one(
    tmp_path: Path, network: nn.Linear
) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Neg", ["x"], ["b"])]
    outputs = [value("a", ("n", 4)), value("b", ("n", 4))]
    file = save(tmp_path / "m.onnx", nodes, [value("x", ("n", 4))], outputs)
    assert "has 2 outputs (a, b): say in config.yaml which one is meant" in unfit(file)
    tensors = "input: {name: x, shape: [4]}\noutput: {name: b, shape: [4]}\n"
    (tmp_path / "config.yaml").write_text(tensors)
    batch = some((2, 4))
    assert np.array_equal(open_plain(found(file).stored)(batch), -batch)
    (tmp_path / "config.yaml").write_text(tensors.replace("b", "z"))
    assert "has no output z, which config.yaml names; there is a, b" in unfit(file)


@pytest.mark.parametrize(
    ("kind", "said"), [(TensorProto.INT64, "INT64"), (TensorProto.FLOAT16, "FP16")]
)
def test_other_datatypes_than_floats_are_refused(tmp_path: Path, kind: int, said: str) -> None:
    cast = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
    file = save(tmp_path / "m.onnx", [cast], [value("x", ("n", 4), kind)], [value("y", ("n", 4))])
    assert f"computes with inputs that are {said}, and FP32 is what is served" in unfit(file)


def test_two_inputs_are_refused(tmp_path: Path) -> None:
    add = helper.make_node("Add", ["x", "z"], ["y"])
    inputs = [value("x", ("n", 4)), value("z", ("n", 4))]
    file = save(tmp_path / "m.onnx", [add], inputs, [value("y", ("n", 4))])
    assert "has 2 inputs (x, z)" in unfit(file)
    tensors = "input: {name: x, shape: [4]}\noutput: {name: y, shape: [4]}\n"
    (tmp_path / "config.yaml").write_text(tensors)
    assert "takes 2 inputs; one is what is served" in unfit(file)


def test_weights_in_a_file_beside_it_count_and_stay_in_the_folder(
    tmp_path: Path, network: nn.Linear
) -> None:
    how: dict[str, Any] = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0}
    file = linear(tmp_path / "m" / "a.onnx", network, **how)
    entry = found(file)
    beside = file.parent / "w.bin"
    assert entry.file_bytes == file.stat().st_size + beside.stat().st_size
    batch = some((2, 4))
    answer = open_plain(entry.stored)(batch)
    assert np.allclose(answer, expected(network, batch), atol=1e-5)
    beside.rename(tmp_path / "elsewhere.bin")
    assert "has weights in 'w.bin', which is missing: put it beside it" in unfit(file)
    beside.symlink_to(tmp_path / "elsewhere.bin")
    assert "has weights outside of its folder, in 'w.bin'" in unfit(file)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(1, 2**40) | st.sampled_from(["n", "größe", None]), max_size=5),
    name=st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text),
)
def test_the_header_is_what_onnxruntime_reads(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int | str | None], name: str
) -> None:
    file = tmp_path_factory.mktemp("onnx") / "m.onnx"
    name = name.encode("utf-8", "ignore").decode() or "x"
    relu = helper.make_node("Relu", [name], ["result " + name])
    save(file, [relu], [value(name, shape)], [value("result " + name, shape)], checked=False)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    header = read_header(file)
    for ours, theirs in zip(
        header.inputs + header.outputs, session.get_inputs() + session.get_outputs(), strict=True
    ):
        assert ours.name == theirs.name
        assert [size or None for size in ours.shape or ()] == theirs.shape


def test_a_file_that_is_torn_is_read_or_refused(tmp_path: Path, network: nn.Linear) -> None:
    """Whatever becomes of its bytes."""
    content = linear(tmp_path / "a.onnx", network).read_bytes()
    draw, torn, ends = random.Random(7), tmp_path / "torn.onnx", {Found: 0, Unfit: 0}
    for _ in range(600):
        changed = bytearray(content)
        for _ in range(draw.choice((1, 1, 4))):
            at = draw.randrange(len(changed) + 1)
            changed[at : at + draw.choice((0, 1, 9))] = draw.randbytes(draw.choice((0, 1, 3)))
        torn.write_bytes(changed[: draw.choice((None, draw.randrange(len(changed) + 1)))])
        entry = found_file("m", torn)
        ends[type(entry)] += 1
        assert isinstance(entry, Found) or entry.reason.endswith(".")
    assert min(ends.values()) > 30


def test_a_file_that_is_cut_off_while_it_is_read_is_a_sentence(
    tmp_path: Path, network: nn.Linear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `cp` does it with a file that it writes anew. A mapped one would end the process."""
    file = linear(tmp_path / "m.onnx", network)
    walk = _Walk.header

    def cut_off(self: _Walk) -> OnnxHeader:
        file.write_bytes(b"")
        return walk(self)

    monkeypatch.setattr(_Walk, "header", cut_off)
    assert "is damaged, or no ONNX file" in unfit(file)


def test_a_file_that_is_replaced_while_it_is_read_is_read_again_at_the_next_look(
    tmp_path: Path, network: nn.Linear, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = linear(tmp_path / "m.onnx", network)
    (tmp_path / "config.yaml").write_text("accuracy: 0.5")

    def replaced_behind_it(file: Path, config: ModelConfig) -> Any:
        said = read_onnx(file, config)
        linear(file, nn.Linear(4, 3), given=("batch", 3))
        (tmp_path / "config.yaml").write_text("accuracy: 0.25")
        return said

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("infadapter_server.serving.layout.read_onnx", replaced_behind_it)
        first = found(file)
    second = found(file)
    assert (first.config.accuracy, second.config.accuracy) == (0.5, 0.25)
    assert set(first.stamp.split("/")[1:]).isdisjoint(second.stamp.split("/")[1:])


# --- what is computed --------------------------------------------------------------------------


def test_a_network_of_ours_answers_as_torch_does(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network, file = blank("glyph-2").eval(), tmp_path / "glyphs.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is the old one
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, 32, 32),),
            str(file),
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "n"}, "logits": {0: "n"}},
            dynamo=False,
        )
    stored = found(file).stored
    assert stored.signature == SIGNATURES["glyph-2"]
    report = loaded(stored)
    assert (report.outcome, set(report.execution_s)) == (Outcome.DONE, set(SIZES))
    assert report.weights_bytes == file.stat().st_size
    model = open_plain(stored)
    for size in (1, 3):
        batch = some((size, 1, 32, 32))
        assert np.abs(model(batch) - expected(network, batch)).max() < 1e-5


@pytest.mark.parametrize("location", ["w.bin", "sub/w.bin"])
def test_weights_beside_a_file_that_are_written_anew_change_nothing_that_is_loaded(
    tmp_path: Path, network: nn.Linear, location: str
) -> None:
    """A mapped file's would change with it, and a shorter one end the process."""
    how: dict[str, Any] = {"save_as_external_data": True, "location": location, "size_threshold": 0}
    (beside := tmp_path / "m" / location).parent.mkdir(parents=True)
    file = linear(tmp_path / "m" / "a.onnx", network, **how)
    model, batch = open_plain(found(file).stored), some((2, 4))
    before = model(batch)
    assert np.allclose(before, expected(network, batch), atol=1e-5)
    with beside.open("r+b") as written:
        written.write(bytes(beside.stat().st_size))
    assert np.array_equal(model(batch), before)
    beside.write_bytes(b"")
    assert np.array_equal(model(batch), before)


def test_threads_change_while_it_is_loaded_also_without_its_file(
    tmp_path: Path, network: nn.Linear, caplog: pytest.LogCaptureFixture
) -> None:
    file, batch = linear(tmp_path / "a.onnx", network), some((2, 4))
    model = open_plain(found(file).stored)
    for threads in (1, 2):
        model.use_threads(threads)
        assert np.allclose(model(batch), expected(network, batch), atol=1e-5)
    file.unlink()
    model.use_threads(1)
    assert np.allclose(model(batch), expected(network, batch), atol=1e-5)
    assert "goes on with 2 threads" in caplog.text


@pytest.mark.process
def test_nobody_is_told_of_what_is_served(tmp_path: Path, network: nn.Linear) -> None:
    """onnxruntime's telemetry begins with an identifier in the home folder."""
    file, home = linear(tmp_path / "m.onnx", network), tmp_path / "home"
    home.mkdir()
    code = (
        "from pathlib import Path; from infadapter_server.networks import onnx_programs;"
        f"onnx_programs._session(Path({str(file)!r}), 1)"
    )
    others = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment = {**others, "HOME": str(home)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr, list(home.rglob("*"))) == ("", "", [])


def test_an_answer_of_another_shape_than_was_said_is_found_when_it_is_loaded(
    tmp_path: Path, network: nn.Linear
) -> None:
    file = linear(tmp_path / "a.onnx", network, given=None, checked=False)
    (tmp_path / "config.yaml").write_text(
        "input: {name: x, shape: [4]}\noutput: {name: y, shape: [7]}\n"
    )
    report = loaded(found(file).stored)
    assert report.outcome is Outcome.FAILED
    assert "for the input [1, 4] it answers float32 [1, 3], and not float32 [1, 7]" in report.error


def test_an_operator_that_is_unknown_is_a_sentence(tmp_path: Path) -> None:
    odd = helper.make_node("Reluu", ["x"], ["y"])
    tensors = [value("x", ("n", 4))], [value("y", ("n", 4))]
    file = save(tmp_path / "m.onnx", [odd], *tensors, checked=False)
    report = loaded(found(file).stored)
    assert report.outcome is Outcome.FAILED
    assert f"The model {file} cannot be loaded" in report.error
    assert f"write it again for onnxruntime {onnxruntime.__version__}." in report.error


def test_without_onnxruntime_the_extra_is_named(
    tmp_path: Path, network: nn.Linear, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = found(linear(tmp_path / "a.onnx", network)).stored
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    report = loaded(stored)
    assert report.outcome is Outcome.FAILED
    assert report.error.endswith("pip install 'infadapter[onnx]'.")


def test_no_file_is_a_sentence(tmp_path: Path) -> None:
    nowhere = tmp_path / "a.onnx"
    assert "can't be read: No such file" in unfit(nowhere)
    signature = Signature(input_shape=(4,), output_shape=(3,))
    stored = Stored(
        name="m", version="1", format=Format.ONNX, signature=signature, file=str(nowhere)
    )
    with pytest.raises(LoadError, match="There is no file"):
        open_plain(stored)
    nowhere.write_bytes(b"")
    assert "is damaged, or no ONNX file: write it by torch" in unfit(nowhere)
