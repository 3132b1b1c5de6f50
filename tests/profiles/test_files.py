from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from infadapter_profiles.document import write_document
from infadapter_profiles.files import (
    ProfileFileError,
    check_writable,
    find_profile,
    save_profile,
)
from tests.profiles.documents import DOCUMENT

EMPTY = "kind: VariantProfile\napiVersion: infadapter.io/v1alpha1\nmetadata: {name: resnet18}\n"


def test_what_was_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yaml"
    save_profile(path, DOCUMENT)
    assert find_profile(path, "resnet18", None) == DOCUMENT
    assert find_profile(path, "resnet18", "vision") is None
    assert find_profile(tmp_path / "absent.yaml", "resnet18", None) is None


def test_saving_replaces_its_own_document_and_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    others = [{"kind": "ConfigMap", "data": {"a": "b"}}, {"kind": "Secret"}]
    elsewhere = replace(DOCUMENT, namespace="vision")
    path.write_text(yaml.safe_dump_all([others[0], write_document(DOCUMENT), others[1]]))
    save_profile(path, elsewhere)
    changed = replace(DOCUMENT, profile=replace(DOCUMENT.profile, accuracy=0.8, load_time_s=2))
    save_profile(path, changed)
    documents = list(yaml.safe_load_all(path.read_text()))
    assert [d["kind"] for d in documents] == [
        "ConfigMap",
        "VariantProfile",
        "Secret",
        "VariantProfile",
    ]
    assert documents[0] == others[0]
    assert find_profile(path, "resnet18", None) == changed
    assert find_profile(path, "resnet18", "vision") == elsewhere
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "is not YAML: line 2, column 1: did not find expected node content"),
        ("a:\n\t- 1\n", "line 2, column 1: YAML is indented by blanks, not by tabs"),
        ("- 1\n", "must hold Kubernetes documents"),
        (EMPTY, "lacks spec"),
    ],
)
def test_a_file_that_is_something_else_is_not_touched(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(ProfileFileError, match=sentence) as caught:
        find_profile(path, "resnet18", None)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_text() == text


@pytest.mark.parametrize("key", ["accuracy", "loadSeconds", "allocations"])
@pytest.mark.parametrize("value", [None, "x", [1], [{}], {"cpu": 1}])
def test_a_malformed_profile_is_named(tmp_path: Path, key: str, value: object) -> None:
    document = write_document(DOCUMENT)
    document["spec"][key] = value
    path = tmp_path / "file.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ProfileFileError, match="resnet18"):
        find_profile(path, "resnet18", None)


def test_a_file_that_cannot_be_written_is_said_so_before_and_when_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, reason in (("absent", "No such file"), ("file", "Not a directory")):
        path = tmp_path / folder / "profiles.yaml"
        with pytest.raises(ProfileFileError, match=f"cannot be written: {reason}"):
            check_writable(path)
        with pytest.raises(ProfileFileError, match=f"cannot be written: {reason}"):
            save_profile(path, DOCUMENT)


def test_asking_whether_a_file_can_be_written_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "profiles.yaml")
    assert list(tmp_path.iterdir()) == []
