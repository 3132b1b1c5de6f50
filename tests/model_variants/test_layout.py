"""Folders in Triton's layout, and models that the command line names."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from infadapter_server.networks.notes import measured
from infadapter_server.networks.stored import Format
from infadapter_server.serving.catalogue import Catalogue, Given, parse_given
from infadapter_server.serving.config_keys import ConfigError
from infadapter_server.serving.layout import Found, Unfit, found_file, found_folder, scan

TENSORS = "input: {name: x, shape: [4]}\noutput: {name: y, shape: [3]}\n"


def model(folder: Path, *versions: str, config: str = TENSORS, file: str = "model.pt") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(config)
    for version in versions:
        (folder / version).mkdir()
        (folder / version / file).write_bytes(b"weights" * int(version))
    return folder


def found(folder: Path) -> Found:
    entry = found_folder(folder.name, folder)
    assert isinstance(entry, Found), entry
    return entry


def unfit(folder: Path) -> str:
    entry = found_folder(folder.name, folder)
    assert isinstance(entry, Unfit)
    return entry.reason


def test_the_highest_version_counts_as_a_number(tmp_path: Path) -> None:
    entry = found(model(tmp_path / "m", "2", "10", "9"))
    assert (entry.stored.version, entry.file_bytes) == ("10", 70)
    assert entry.stored.file == str(tmp_path / "m" / "10" / "model.pt")
    assert entry.stored.format is Format.TORCHSCRIPT


def test_a_configuration_may_name_another_version(tmp_path: Path) -> None:
    assert (
        found(model(tmp_path / "m", "1", "2", config=TENSORS + "version: 1")).stored.version == "1"
    )
    reason = unfit(model(tmp_path / "n", "1", "2", config=TENSORS + "version: 7"))
    assert "has no version 7, which config.yaml names" in reason


def test_a_configuration_by_another_name_is_not_ignored(tmp_path: Path) -> None:
    folder = model(tmp_path / "n", "1", config=TENSORS)
    (folder / "config.yaml").rename(folder / "config.yml")
    assert unfit(folder) == f"{folder}/config.yml is not read: name it config.yaml."


def test_tritons_configuration_is_said_not_to_be_read_where_ours_is_missing(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", "1")
    (folder / "config.pbtxt").write_text("max_batch_size: 8")
    assert not found(folder).unread
    (folder / "config.yaml").unlink()
    told = f"{folder}/config.pbtxt is not read: what it says"
    assert told in unfit(folder)
    assert "config.yaml, by input, output, batch_sizes and version." in unfit(folder)


def hold_fifo(path: Path) -> None:
    os.mkfifo(path)


def hold_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def hold_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


UNREADABLE = pytest.mark.parametrize("hold", [hold_fifo, hold_device, hold_nothing, Path.mkdir])


@UNREADABLE
def test_a_configuration_that_is_no_regular_file_is_a_reason_and_nobody_waits_for_it(
    tmp_path: Path, hold: Callable[[Path], None]
) -> None:
    folder = model(tmp_path / "m", "1")
    (folder / "config.yaml").unlink()
    hold(folder / "config.yaml")
    assert unfit(folder).startswith(f"{folder}/config.yaml can't be read: ")
    entry = found_file("m", folder / "1" / "model.pt")
    assert isinstance(entry, Unfit)
    assert entry.reason == unfit(folder)


@UNREADABLE
@pytest.mark.parametrize("file", ["model.pt", "model.pt2", "model.onnx", "model.py"])
def test_a_model_that_is_no_regular_file_is_none(
    tmp_path: Path, hold: Callable[[Path], None], file: str
) -> None:
    folder = model(tmp_path / "m")
    (folder / "1").mkdir()
    hold(folder / "1" / file)
    assert "has no model: put" in unfit(folder)
    rungs = TENSORS + "ladder: [{name: a, file: a.pt, accuracy: 0.5}]"
    ladder = model(tmp_path / "ladder", config=rungs)
    (ladder / "1").mkdir()
    hold(ladder / "1" / "a.pt")
    assert "has no a.pt, which the ladder names" in unfit(ladder)


@pytest.mark.parametrize("hold", [hold_fifo, hold_device, hold_nothing])
def test_a_model_of_the_command_line_is_a_regular_file_or_a_folder(
    tmp_path: Path, hold: Callable[[Path], None]
) -> None:
    hold(tmp_path / "m.pt")
    with pytest.raises(ConfigError, match="is no variant, no file and no folder"):
        parse_given(f"m={tmp_path / 'm.pt'}")


def test_other_folders_beside_versions_are_ignored(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", "1")
    for name in ("notes", "01", "0", "²", "-3"):
        (folder / name).mkdir()
    (folder / "9").write_text("a file")
    assert found(folder).stored.version == "1"


def test_exports_are_known_by_their_name_and_weights_by_their_variant(tmp_path: Path) -> None:
    assert found(model(tmp_path / "e", "1", file="model.pt2")).stored.format is Format.EXPORT
    variant = found(model(tmp_path / "v", "1", config="variant: glyph-1")).stored
    assert (variant.format, variant.variant) == (Format.VARIANT, "glyph-1")


def test_a_variant_of_ours_needs_no_file_but_a_version(tmp_path: Path) -> None:
    folder = model(tmp_path / "v", config="variant: glyph-1")
    assert "has no version: put the model into" in unfit(folder)
    (folder / "1").mkdir()
    assert found(folder).stored.file is None


def test_a_shipped_network_has_its_accuracy_until_a_file_or_the_configuration_says_otherwise(
    tmp_path: Path,
) -> None:
    shipped = model(tmp_path / "a", config="variant: glyph-1")
    (shipped / "1").mkdir()
    assert found(shipped).config.accuracy == measured()["glyph-1"]["accuracy"]
    said = model(tmp_path / "b", config="variant: glyph-1\naccuracy: 0.5")
    (said / "1").mkdir()
    assert found(said).config.accuracy == 0.5
    assert found(model(tmp_path / "c", "1", config="variant: glyph-1")).config.accuracy is None


def test_a_version_without_a_model_or_with_two_is_unfit(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", "1")
    (folder / "1" / "model.pt2").write_bytes(b"")
    assert "has several of model.pt, model.pt2, model.onnx, model.py: keep one" in unfit(folder)
    (folder / "2").mkdir()
    assert "has no model: put model.pt, model.pt2, model.onnx, model.py there" in unfit(folder)


@pytest.mark.parametrize("config", [None, "pinned: true"])
def test_a_network_whose_file_does_not_tell_has_to_be_described(
    tmp_path: Path, config: str | None
) -> None:
    folder = model(tmp_path / "m", "1", config=config or "")
    if config is None:
        (folder / "config.yaml").unlink()
    missing = "name and shape of input and output are missing; or name a variant."
    assert unfit(folder) == f"{folder}/config.yaml: {missing}"


def test_a_repository_lists_what_can_be_served_and_what_cannot(tmp_path: Path) -> None:
    model(tmp_path / "a", "1")
    (tmp_path / "b").mkdir()
    model(tmp_path / "un fit", "1")
    (tmp_path / ".git").mkdir()
    (tmp_path / "README").write_text("a file")
    entries = scan(tmp_path)
    assert {name: type(entry) for name, entry in entries.items()} == {
        "a": Found,
        "b": Unfit,
        "un fit": Unfit,
    }
    with pytest.raises(ConfigError, match="nowhere can't be read: No such file or directory"):
        scan(tmp_path / "nowhere")


def test_a_stamp_changes_with_the_file_and_with_the_configuration(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", "1")
    first = found(folder).stamp
    assert found(folder).stamp == first
    os.utime(folder / "1" / "model.pt", ns=(1, 1))
    second = found(folder).stamp
    (folder / "config.yaml").write_text(TENSORS + "pinned: true")
    assert len({first, second, found(folder).stamp}) == 3


def test_the_command_line_names_variants_files_and_folders(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", "4")
    variant = parse_given("glyphs=glyph-3").find()
    assert isinstance(variant, Found)
    assert (variant.stored.name, variant.stored.version) == ("glyphs", "glyph-3")
    for what in (folder, folder / "4" / "model.pt"):
        entry = parse_given(f"other={what}").find()
        assert isinstance(entry, Found), entry
        assert (entry.stored.name, entry.stored.version) == ("other", "4")
    flat = tmp_path / "flat.pt2"
    flat.write_bytes(b"x")
    assert isinstance(parse_given(f"flat={flat}").find(), Unfit)  # no configuration beside it
    (tmp_path / "config.yaml").write_text(TENSORS)
    entry = parse_given(f"flat={flat}").find()
    assert isinstance(entry, Found)
    assert (entry.stored.version, entry.stored.format) == ("1", Format.EXPORT)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("glyph-3", "is not NAME=VARIANT, NAME=FILE or NAME=FOLDER"),
        ("a/b=glyph-3", "is not NAME=VARIANT"),
        ("a=", "is not NAME=VARIANT"),
        ("a=glyph-9", "'glyph-9' is no variant, no file and no folder"),
        ("a=/etc/hostname", r"must end in \.pt .* \.pt2 .*, \.onnx or \.py "),
    ],
)
def test_what_the_command_line_can_not_mean_is_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_given(text)


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    model(tmp_path / "a", "1")
    twice = (Given("b", "glyph-1"), Given("b", "glyph-2"))
    with pytest.raises(ConfigError, match="two models of the name b"):
        Catalogue(twice, None).read()
    with pytest.raises(ConfigError, match="two models of the name a"):
        Catalogue((Given("a", "glyph-1"),), tmp_path).read()
    assert set(Catalogue((Given("c", "glyph-1"),), tmp_path).read()) == {"a", "c"}
