"""Networks whose file brings its code: what loads, what is refused, and with which words."""

import threading
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest
import torch
from torch import nn

from infadapter_server.executors.messages import LoadModel, ModelLoaded, Outcome, Report
from infadapter_server.executors.runner import Runner
from infadapter_server.networks.ladder import blank
from infadapter_server.networks.models import open_plain
from infadapter_server.networks.signatures import SIGNATURES, LoadError, Signature
from infadapter_server.networks.stored import Format, Stored
from tests.model_variants.programs import INPUT, OUTPUT, Tiny, save_export, save_script

SIGNATURE = Signature(input_shape=INPUT, output_shape=OUTPUT)
INPUTS = np.random.default_rng(3).random((2, 4), dtype=np.float32)


def stored(path: Path, form: Format, *, sizes: tuple[int, ...] = (1,), variant: str = "") -> Stored:
    return Stored(
        name="tiny",
        version="1",
        format=form,
        signature=SIGNATURES.get(variant, SIGNATURE),
        variant=variant,
        file=str(path),
        batch_sizes=sizes,
    )


def loaded(model: Stored) -> ModelLoaded:
    """As an executor loads it: warmed up with each of its batch sizes."""
    reports: SimpleQueue[Report] = SimpleQueue()
    runner = Runner(open_plain, reports.put)
    thread = threading.Thread(target=runner.run)
    thread.start()
    runner.submit(LoadModel(model, 0.0, 1e12))
    report = reports.get(timeout=60)
    runner.end()
    thread.join()
    assert isinstance(report, ModelLoaded)
    return report


def expected(network: nn.Module) -> np.ndarray:
    with torch.inference_mode():
        answer: np.ndarray = network(torch.from_numpy(INPUTS)).numpy()
    return answer


def test_a_torchscript_file_answers_as_its_network_did(tmp_path: Path) -> None:
    network = Tiny()
    path = save_script(network, tmp_path / "model.pt")
    model = open_plain(stored(path, Format.TORCHSCRIPT))
    assert np.array_equal(model(INPUTS), expected(network))
    assert model.weights_bytes == 4 * (4 * 3 + 3 + 1)


def test_an_exported_file_answers_as_its_network_did_at_any_batch_size(tmp_path: Path) -> None:
    network = Tiny()
    path = save_export(network, tmp_path / "model.pt2")
    report = loaded(stored(path, Format.EXPORT, sizes=(1, 2, 8)))
    assert (report.outcome, set(report.execution_s)) == (Outcome.DONE, {1, 2, 8})
    model = open_plain(stored(path, Format.EXPORT))
    assert np.allclose(model(INPUTS), expected(network))
    assert model.weights_bytes == 4 * (4 * 3 + 3 + 1)


def test_a_variant_with_a_state_dict_loads(tmp_path: Path) -> None:
    torch.save(blank("glyph-1").state_dict(), tmp_path / "model.pt")
    report = loaded(stored(tmp_path / "model.pt", Format.VARIANT, variant="glyph-1"))
    assert report.outcome is Outcome.DONE


def test_an_unknown_variant_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no network 'glyph-9': choose one of glyph-1"):
        open_plain(stored(tmp_path / "model.pt", Format.VARIANT, variant="glyph-9"))


@pytest.mark.parametrize("form", Format)
def test_a_missing_file_is_named(tmp_path: Path, form: Format) -> None:
    variant = "glyph-1" if form is Format.VARIANT else ""
    with pytest.raises(LoadError, match=r"There is no file .*model\.pt: put the "):
        open_plain(stored(tmp_path / "model.pt", form, variant=variant))


@pytest.mark.parametrize("form", [Format.TORCHSCRIPT, Format.EXPORT])
@pytest.mark.parametrize("kept", [0, 4, 1000, 0.5])
def test_a_damaged_file_is_named(tmp_path: Path, form: Format, kept: float) -> None:
    path = tmp_path / "model"
    (save_script if form is Format.TORCHSCRIPT else save_export)(Tiny(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept == 0.5 else int(kept)])
    with pytest.raises(LoadError, match=r"is damaged, or no file of torch: write it by torch\."):
        open_plain(stored(path, form))


@pytest.mark.parametrize("form", [Format.TORCHSCRIPT, Format.EXPORT])
def test_a_file_that_is_damaged_within_is_a_sentence(tmp_path: Path, form: Format) -> None:
    path = tmp_path / "model"
    (save_script if form is Format.TORCHSCRIPT else save_export)(Tiny(), path)
    content = bytearray(path.read_bytes())
    for place in range(64, len(content) // 2, 7):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(LoadError, match=r"cannot be loaded|is damaged|without code"):
        open_plain(stored(path, form))


def test_weights_without_code_are_not_run_as_a_program(tmp_path: Path) -> None:
    torch.save(Tiny().state_dict(), tmp_path / "model.pt")
    with pytest.raises(LoadError, match="weights without code: name its network as `variant`"):
        open_plain(stored(tmp_path / "model.pt", Format.TORCHSCRIPT))


def test_a_program_of_the_other_kind_says_what_to_call_it(tmp_path: Path) -> None:
    script = save_script(Tiny(), tmp_path / "a")
    with pytest.raises(LoadError, match=r"written by torch\.jit\.save: call it model\.pt\."):
        open_plain(stored(script, Format.EXPORT))
    export = save_export(Tiny(), tmp_path / "b")
    with pytest.raises(LoadError, match=r"written by torch\.export\.save: call it model\.pt2\."):
        open_plain(stored(export, Format.TORCHSCRIPT))


def test_an_answer_of_another_shape_is_found_when_it_is_loaded(tmp_path: Path) -> None:
    path = save_script(Tiny(outputs=7), tmp_path / "model.pt")
    report = loaded(stored(path, Format.TORCHSCRIPT))
    assert report.outcome is Outcome.FAILED
    assert "for the input [1, 4] it answers float32 [1, 7], and not float32 [1, 3]" in report.error


def test_an_input_of_another_shape_is_found_when_it_is_loaded(tmp_path: Path) -> None:
    wrong = Signature(input_shape=(9,), output_shape=OUTPUT)
    path = save_script(Tiny(), tmp_path / "model.pt")
    model = Stored(
        name="tiny", version="1", format=Format.TORCHSCRIPT, signature=wrong, file=str(path)
    )
    report = loaded(model)
    assert report.outcome is Outcome.FAILED
    assert "for the input [1, 9] it raises RuntimeError" in report.error
    assert "mat1 and mat2 shapes cannot be multiplied" in report.error


def test_an_export_for_one_batch_size_says_what_to_do(tmp_path: Path) -> None:
    path = save_export(Tiny(), tmp_path / "model.pt2", batch=1)
    report = loaded(stored(path, Format.EXPORT, sizes=(1,)))
    assert report.outcome is Outcome.DONE
    report = loaded(stored(path, Format.EXPORT, sizes=(1, 2)))
    assert report.outcome is Outcome.FAILED
    assert (
        "export it with a dynamic batch, or for one image and with `batch_sizes: [1]`"
        in report.error
    )


class Pair(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


def test_an_answer_of_several_tensors_is_refused(tmp_path: Path) -> None:
    report = loaded(stored(save_script(Pair(), tmp_path / "model.pt"), Format.TORCHSCRIPT))
    assert report.outcome is Outcome.FAILED
    assert "it answers with a tuple, and not with one tensor" in report.error
