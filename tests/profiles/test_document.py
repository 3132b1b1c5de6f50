from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infadapter_profiles.document import (
    AllocationProfile,
    Point,
    ProfileFileError,
    VariantProfile,
    check_writable,
    document_of,
    find_profile,
    quantity,
    save_profile,
)

POINT = Point(rps=5.25, latency_ms={50.0: 210.5, 99.9: 320.0}, refused_ratio=0.01)
HALF = AllocationProfile(resources={"cpu": "500m"}, saturation_rps=18, points=(POINT,))
PROFILE = VariantProfile(
    name="resnet18", accuracy=0.7613, load_s=1e-3, allocations=(HALF,), machine="2 x CPU"
)

EMPTY = "kind: VariantProfile\napiVersion: infadapter.io/v1alpha1\nmetadata: {name: resnet18}\n"


def test_a_document_holds_decimals_as_strings_and_latencies_as_numbers() -> None:
    document = document_of(PROFILE)
    assert document["spec"] == {
        "accuracy": "0.7613",
        "loadSeconds": "0.001",
        "allocations": [
            {
                "resources": {"cpu": "500m"},
                "batchSize": 1,
                "saturationRps": "18",
                "points": [
                    {
                        "rps": "5.25",
                        "latencyMilliseconds": {"50": 210.5, "99.9": 320.0},
                        "refusedRatio": "0.01",
                    }
                ],
            }
        ],
    }
    assert document["status"] == {"machine": "2 x CPU"}


def test_what_was_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yaml"
    save_profile(path, PROFILE)
    assert find_profile(path, "resnet18", None) == PROFILE
    assert find_profile(path, "resnet18", "vision") is None
    assert find_profile(tmp_path / "absent.yaml", "resnet18", None) is None


def test_saving_replaces_its_own_document_and_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    others = [{"kind": "ConfigMap", "data": {"a": "b"}}, {"kind": "Secret"}]
    elsewhere = VariantProfile(
        name="resnet18", namespace="vision", accuracy=0.5, load_s=1, allocations=(HALF,)
    )
    path.write_text(yaml.safe_dump_all([others[0], document_of(PROFILE), others[1]]))
    save_profile(path, elsewhere)
    changed = VariantProfile(name="resnet18", accuracy=0.8, load_s=2, allocations=(HALF,))
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
        ("a: [", "is not YAML"),
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
    document = document_of(PROFILE)
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
            save_profile(path, PROFILE)


def test_asking_whether_a_file_can_be_written_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "profiles.yaml")
    assert list(tmp_path.iterdir()) == []


@given(st.integers(1, 10**7))
def test_an_amount_has_one_form(thousandths: int) -> None:
    text = quantity(f"{thousandths}m")
    assert quantity(text) == quantity(str(thousandths / 1000)) == text


def test_amounts_as_people_write_them() -> None:
    assert [quantity(text) for text in ("4", "4.0", "0.5", "500m", "4000m")] == [
        "4",
        "4",
        "500m",
        "500m",
        "4",
    ]
    for text in ("", "m", "four", "-1", "0", "0.0001", "nan", "inf", "1k"):
        with pytest.raises(ValueError, match="amount"):
            quantity(text)
