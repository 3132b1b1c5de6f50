"""A profile is written as the API takes it, and comes back as the value that it was."""

import copy
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.api.objects import parse_profile
from infadapter_operator.api.profiles import (
    ProfileAllocation,
    ProfileCapacity,
    ProfileOperatingPoint,
    ProfilePoint,
    VariantProfileSpec,
    VariantProfileStatus,
)
from infadapter_profiles.document import (
    MEBIBYTE,
    MOST_BATCH_SIZE,
    MOST_LATENCY_MS,
    MOST_PERCENTILES,
    MOST_SLO_MS,
    MalformedProfile,
    ProfileDocument,
    read_document,
    read_spec,
    write_document,
)
from infadapter_profiles.profile import (
    KnownCapacity,
    OperatingPoint,
    Point,
    Profile,
    ProfiledAllocation,
)
from infadapter_profiles.sizes import PodSize
from tests.profiles.documents import DOCUMENT, HALF, WITH_POINTS


def decimals(least: float, most: float, digits: int) -> st.SearchStrategy[float]:
    """What a text of so many digits can say."""
    unit = 10**digits
    return st.integers(round(least * unit), round(most * unit)).map(lambda count: count / unit)


RATES = decimals(0.001, 1e6, 3)
LATENCIES_S = st.floats(0.01, MOST_LATENCY_MS).map(lambda ms: round(ms, 2) / 1000)
PERCENTILES = st.one_of(st.integers(1, 99).map(float), decimals(1.01, 99.99, 2))
SIZES = st.builds(
    lambda millicores, devices, batch_size: PodSize(
        resources={"cpu": millicores, **({"nvidia.com/gpu": devices} if devices else {})},
        batch_size=batch_size,
    ),
    st.integers(1, 10**6),
    st.integers(0, 16),
    st.integers(1, MOST_BATCH_SIZE),
)
POINTS = st.builds(
    Point,
    rps=RATES,
    latency_s=st.dictionaries(PERCENTILES, LATENCIES_S, min_size=1, max_size=MOST_PERCENTILES),
    refused_ratio=decimals(0, 1, 5),
)
CAPACITIES = st.builds(
    KnownCapacity,
    latency_s=st.integers(1, MOST_SLO_MS).map(lambda ms: ms / 1000),
    percentile=PERCENTILES,
    rps=decimals(0, 1e6, 3),
    low_rps=st.none() | decimals(0, 1e6, 3),
    high_rps=st.none() | decimals(0, 1e6, 3),
    missed_ratio=st.none() | decimals(0, 1, 5),
)
ALLOCATIONS = st.builds(
    ProfiledAllocation,
    size=SIZES,
    saturation_rps=st.none() | RATES,
    points=st.lists(POINTS, max_size=3).map(tuple),
    capacity=st.lists(CAPACITIES, max_size=3).map(tuple),
    memory_bytes=st.none() | st.integers(1, 2**20).map(lambda mebibytes: mebibytes * MEBIBYTE),
).filter(lambda allocation: allocation.points or allocation.capacity)
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
DOCUMENTS = st.builds(
    ProfileDocument,
    profile=st.builds(
        Profile,
        variant=st.from_regex("[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True),
        accuracy=decimals(0, 1, 5),
        load_time_s=decimals(0, 3600, 3),
        warm_load_time_s=st.none() | decimals(0, 3600, 3),
        allocations=st.lists(
            ALLOCATIONS, min_size=1, max_size=3, unique_by=lambda allocation: allocation.size
        ).map(tuple),
    ),
    namespace=st.none() | st.just("vision"),
    measured_at=st.none() | st.just("2026-11-22T12:00:00Z"),
    machine=TEXTS,
    server=TEXTS,
    warning=TEXTS,
)


def test_a_document_holds_decimals_as_strings_and_latencies_as_numbers() -> None:
    document = write_document(DOCUMENT)
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


@given(DOCUMENTS)
def test_what_was_written_is_read_and_the_api_takes_it_for_the_same_values(
    document: ProfileDocument,
) -> None:
    written = write_document(document)
    assert read_document(written) == document
    taken = parse_profile(written)
    assert taken.spec.as_profile(taken.metadata.name) == document.profile
    assert read_document(taken.as_body()).profile == document.profile


ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 2.5, math.inf, -math.inf, math.nan, 10**400),
    *("", "x", "nan", "inf", "1e400", b"", [], [[]], [1], {}, {1: 2}, {None: "1"}),
)


def places(written: Any) -> list[tuple[Any, Any]]:
    """Every field and entry of a document, and what it stands in."""
    listed = isinstance(written, list)
    keys = list(range(len(written)) if listed else written if isinstance(written, dict) else ())
    return [(written, k) for k in keys] + [p for k in keys for p in places(written[k])]


def test_whatever_stands_in_a_place_of_a_profile_it_is_read_or_refused_by_name() -> None:
    """Also what no number holds, and a list where percentiles should name latencies."""
    whole = write_document(replace(DOCUMENT, profile=WITH_POINTS))
    whole["spec"]["allocations"][0] |= {"memoryMebibytes": 64, "batchSize": 1}
    said = set()
    for number in range(len(places(whole))):
        for odd in ODD:
            written = copy.deepcopy(whole)
            within, key = places(written)[number]
            within[key] = odd
            try:
                assert write_document(read_document(written))
            except MalformedProfile as error:
                said.add(str(error))
    assert all("the profile " in sentence for sentence in said)
    assert "the profile resnet18 is malformed: int too large to convert to float" in said
    assert "the profile resnet18 is malformed: list index out of range" in said


def test_the_api_has_no_field_that_is_not_written() -> None:
    known = KnownCapacity(
        latency_s=0.75, percentile=99, rps=4, low_rps=3, high_rps=5, missed_ratio=0.01
    )
    allocation = replace(HALF, capacity=(known,), memory_bytes=MEBIBYTE, operating_point="only")
    point = OperatingPoint(name="only", accuracy=DOCUMENT.profile.accuracy)
    profile = replace(
        DOCUMENT.profile,
        allocations=(allocation,),
        warm_load_time_s=1,
        operating_points=(point,),
    )
    full = replace(DOCUMENT, profile=profile, measured_at="2026-11-22T12:00:00Z", server="tiny")
    full = replace(full, warning="noisy")
    written = write_document(full)
    (part_of_it,) = written["spec"]["allocations"]
    for model, part in (
        (VariantProfileSpec, written["spec"]),
        (VariantProfileStatus, written["status"]),
        (ProfileAllocation, part_of_it),
        (ProfileOperatingPoint, written["spec"]["operatingPoints"][0]),
        (ProfilePoint, part_of_it["points"][0]),
        (ProfileCapacity, part_of_it["capacity"][0]),
    ):
        assert {field.alias for field in model.model_fields.values()} == set(part)


@given(st.floats(1e-3, 1e6), st.floats(0, 1), st.floats(1e-5, 3600))
def test_a_number_finer_than_what_is_written_is_rounded_once(
    rps: float, ratio: float, latency_s: float
) -> None:
    fine = Point(rps=rps, latency_s={99.0: latency_s}, refused_ratio=ratio)
    allocations = (replace(HALF, saturation_rps=rps, points=(fine,)),)
    profile = replace(DOCUMENT.profile, accuracy=ratio, allocations=allocations)
    written = write_document(replace(DOCUMENT, profile=profile))
    (read,) = read_document(written).profile.allocations[0].points
    assert (read.rps, read.refused_ratio) == pytest.approx((rps, ratio), abs=1e-3)
    assert read.latency_s[99] == pytest.approx(latency_s, abs=1e-9)
    assert write_document(read_document(written)) == written


def test_what_the_api_leaves_out_has_the_same_default() -> None:
    points = [{"rps": "5", "latencyMilliseconds": {"99": 100}}]
    allocation = {"resources": {"cpu": 1}, "points": points}
    spec = {"accuracy": "0.7", "loadSeconds": "3", "allocations": [allocation]}
    point = Point(rps=5, latency_s={99.0: 0.1})
    expected = ProfiledAllocation(size=PodSize(resources={"cpu": 1000}), points=(point,))
    assert read_spec("v", spec).allocations == (expected,)
    taken = VariantProfileSpec.model_validate_json(json.dumps(spec))
    assert taken.as_profile("v") == read_spec("v", spec)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("accuracy",), "1.01"),
        (("accuracy",), "nan"),
        (("loadSeconds",), "-1"),
        (("loadSeconds",), "inf"),
        (("loadSeconds",), "1e300"),
        (("allocations", 0, "resources", "cpu"), "many"),
        (("allocations", 0, "saturationRps"), None),
        (("allocations", 0, "batchSize"), "two"),
        (("allocations", 0, "points", 0, "rps"), "-5"),
        (("allocations", 0, "points", 0, "refusedRatio"), "2"),
        (("allocations", 0, "points", 0, "latencyMilliseconds"), 7),
        (("allocations", 0, "points", 0, "latencyMilliseconds", "99.9"), 3.7e6),
    ],
)
def test_what_lies_beyond_the_bounds_is_refused_by_name(
    place: tuple[str | int, ...], value: object
) -> None:
    document = write_document(DOCUMENT)
    within: Any = document["spec"]
    for step in place[:-1]:
        within = within[step]
    within[place[-1]] = value
    with pytest.raises(MalformedProfile, match="resnet18 is malformed"):
        read_document(document)


NAMES = st.lists(st.sampled_from(["a", "0.5x", "deep-2", "b"]), min_size=1, unique=True)


@st.composite
def profiles_with_points(draw: st.DrawFn) -> Profile:
    points = tuple(
        OperatingPoint(name=name, accuracy=draw(decimals(0, 1, 5))) for name in draw(NAMES)
    )
    sizes = draw(st.lists(SIZES, min_size=1, max_size=2, unique=True))
    return replace(
        DOCUMENT.profile,
        accuracy=max(point.accuracy for point in points),
        operating_points=points,
        allocations=tuple(
            replace(HALF, size=size, operating_point=point.name)
            for size in sizes
            for point in points
            if size == sizes[0] or draw(st.booleans())
        ),
    )


@given(profiles_with_points())
def test_operating_points_are_read_as_they_were_written(profile: Profile) -> None:
    document = replace(DOCUMENT, profile=profile)
    assert read_document(write_document(document)) == document


def test_a_size_that_is_there_twice_is_refused_by_name() -> None:
    """However its CPU is spelled."""
    document = write_document(DOCUMENT)
    (row,) = document["spec"]["allocations"]
    document["spec"]["allocations"] = [row, {**row, "resources": {"cpu": 0.5}}]
    with pytest.raises(MalformedProfile, match="two allocations of cpu=500m, batch size 1: keep"):
        read_document(document)


def test_operating_points_stand_beside_the_sizes_and_each_row_names_one() -> None:
    spec = write_document(replace(DOCUMENT, profile=WITH_POINTS))["spec"]
    assert spec["operatingPoints"] == [
        {"name": "deep", "accuracy": "0.8"},
        {"name": "shallow", "accuracy": "0.7"},
    ]
    assert [row["operatingPoint"] for row in spec["allocations"]] == ["deep", "shallow"]


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("allocations", 0, "operatingPoint"), "wide", "names the operating point wide; there"),
        (("allocations", 0, "operatingPoint"), None, "names no operating point; there are deep, "),
        (("allocations", 0, "operatingPoint"), ["deep"], "malformed"),
        (
            ("allocations", 0, "operatingPoint"),
            "shallow",
            "two allocations of cpu=500m, batch size 1 at operating point shallow: keep one",
        ),
        (
            ("allocations",),
            [{"resources": {"cpu": 1}, "operatingPoint": "deep"}],
            "no allocation is of the operating point shallow: measure",
        ),
        (("operatingPoints", 1, "accuracy"), "0.9", "not that of the most accurate operating"),
        (("operatingPoints", 1, "accuracy"), "1.1", "accuracy is no number from 0 to 1"),
        (("operatingPoints", 1), {"name": "shallow"}, "lacks accuracy"),
        (("operatingPoints",), [], "names the operating point deep; there are none"),
        (("operatingPoints",), {"deep": 0.8}, "malformed"),
        (("accuracy",), "0.75", "accuracy is not that of the most accurate operating point"),
    ],
)
def test_operating_points_that_contradict_themselves_are_refused_by_name(
    place: tuple[str | int, ...], value: object, said: str
) -> None:
    document = write_document(replace(DOCUMENT, profile=WITH_POINTS))
    within: Any = document["spec"]
    for step in place[:-1]:
        within = within[step]
    within[place[-1]] = value
    with pytest.raises(MalformedProfile, match=said):
        read_document(document)


def test_two_operating_points_of_one_name_are_refused() -> None:
    document = write_document(replace(DOCUMENT, profile=WITH_POINTS))
    document["spec"]["operatingPoints"].append({"name": "deep", "accuracy": "0.6"})
    with pytest.raises(MalformedProfile, match="there are two operating points called deep"):
        read_document(document)


def test_an_operating_point_has_a_name() -> None:
    document = write_document(replace(DOCUMENT, profile=WITH_POINTS))
    document["spec"]["operatingPoints"].append({"name": "", "accuracy": "0.6"})
    with pytest.raises(MalformedProfile, match="an operating point has no name"):
        read_document(document)
