"""A model's configuration: what it may say, and the sentence where it says something else."""

from pathlib import Path

import pytest

from infadapter_server.networks.signatures import SIGNATURES, Signature
from infadapter_server.serving.config_keys import ConfigError
from infadapter_server.serving.model_config import read_config

TENSORS = "input: {name: x, shape: [4]}\noutput: {name: y, shape: [2, 3]}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def test_tensors_are_all_that_a_network_of_others_has_to_say(config: Path) -> None:
    config.write_text(TENSORS)
    read = read_config(config)
    assert read.signature == Signature(
        input_shape=(4,), output_shape=(2, 3), input_name="x", output_name="y"
    )
    assert (read.batch_sizes, read.accuracy, read.version) == ((1, 2, 4, 8), None, None)
    assert (read.pinned, read.load_s) == (False, None)


def test_a_file_may_tell_its_tensors(config: Path) -> None:
    config.write_text("pinned: true")
    assert (read_config(config).signature, read_config(config).pinned) == (None, True)


def test_a_variant_of_ours_has_its_tensors(config: Path) -> None:
    config.write_text("variant: glyph-2\nbatch_sizes: [4, 1, 4]\nversion: 3\npinned: true\n")
    read = read_config(config)
    assert (read.variant, read.signature) == ("glyph-2", SIGNATURES["glyph-2"])
    assert (read.batch_sizes, read.version, read.pinned) == ((1, 4), "3", True)


def test_a_profile_has_seconds_for_each_batch_size(config: Path) -> None:
    profile = "profile: {load_seconds: 0.5, execution_seconds: {1: 0.003, 2: 0.005}}\n"
    config.write_text("variant: glyph-2\nbatch_sizes: [1, 2]\naccuracy: 0.9\n" + profile)
    read = read_config(config)
    assert (read.load_s, read.execution_s, read.accuracy) == (0.5, {1: 0.003, 2: 0.005}, 0.9)
    config.write_text("variant: glyph-2\n" + profile)
    with pytest.raises(ConfigError, match=r"profile\.execution_seconds lacks the batch size 4"):
        read_config(config)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must hold one mapping"),
        ("[1, 2]", "must hold one mapping"),
        ("a: [", "is not YAML: line 2"),
        ("variants: glyph-1", "variants is no key; there are input, output, variant"),
        ("variant: glyph-9", "variant 'glyph-9' is unknown: choose one of glyph-1"),
        ("variant: [glyph-1]", "is unknown: choose one of"),
        ("variant: {}", "is unknown: choose one of"),
        ("variant: glyph-1\n" + TENSORS, "input and output are those of glyph-1: leave them out"),
        ("input: {name: x, shape: [4]}", "of input and output are missing"),
        ("input: 4", "input must have a name and a shape"),
        ("input: {name: x, dims: [4]}", r"input\.dims is no key; there are name, shape"),
        ("input: {name: '', shape: [4]}", r"input\.name must be letters"),
        ("input: {name: x, shape: [-1, 4]}", r"input\.shape must be a list of whole numbers"),
        ("input: {name: x, shape: []}", r"input\.shape must be a list"),
        ("input: {name: x, shape: [true]}", r"input\.shape must be a list"),
        ("input: {name: x, shape: [99999, 99999]}", r"input\.shape must be a list"),
        ("batch_sizes: 4", "batch_sizes must be a list"),
        ("batch_sizes: []", "batch_sizes must be a list"),
        ("batch_sizes: [2, 4]", "batch_sizes must begin with 1, since nothing is padded"),
        ("batch_sizes: [1, 4096]", "batch_sizes must begin with 1, .* up to 1024"),
        ("accuracy: 90", "accuracy must be a number from 0 to 1"),
        ("accuracy: .nan", "accuracy must be a number from 0 to 1"),
        ("version: latest", "version must be the number of a version"),
        ("version: 0", "version must be the number of a version"),
        ("pinned: maybe", "pinned must be true or false"),
        ("profile: 3", "profile must have execution_seconds and load_seconds"),
        ("profile: {load_seconds: 1}", r"profile\.execution_seconds must be seconds by batch size"),
        ("profile: {execution_seconds: {1: 1}}", r"profile\.load_seconds must be a number"),
        (
            "profile: {execution_seconds: {1: 0}, load_seconds: 1}",
            r"profile\.execution_seconds must be above 0",
        ),
    ],
)
def test_each_fault_is_a_sentence_that_names_file_and_key(
    config: Path, text: str, said: str
) -> None:
    config.write_text(text)
    with pytest.raises(ConfigError, match=said) as refused:
        read_config(config)
    assert str(config) in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_missing_and_an_endless_file_are_named(config: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml can't be read: No such file"):
        read_config(config)
    config.write_text("#" * 70_000)
    with pytest.raises(ConfigError, match="larger than 64 KiB"):
        read_config(config)
