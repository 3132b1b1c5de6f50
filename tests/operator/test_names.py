import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.names import (
    kind_slug,
    router_name,
    selector_of,
    service_labels,
    target_labels,
    target_name,
)
from infadapter_solver.problem import Target

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

dns_labels = st.from_regex(r"[a-z]([-a-z0-9]{0,24}[a-z0-9])?", fullmatch=True)
kinds = st.one_of(
    st.just("cpu"),
    st.builds(
        "{}/{}".format,
        st.from_regex(r"[a-z0-9]{1,20}\.[a-z]{2,5}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,30}[A-Za-z0-9])?", fullmatch=True),
    ),
)


@given(dns_labels, dns_labels, kinds)
def test_names_and_label_values_are_what_kubernetes_takes(
    service: str, variant: str, kind: str
) -> None:
    target = Target(variant, kind)
    for name in (target_name(service, target), router_name(service)):
        assert LABEL.fullmatch(name)
        assert len(name) <= 63
    for value in target_labels(service, target).values():
        assert LABEL_VALUE.fullmatch(value)
        assert len(value) <= 63


@given(dns_labels, dns_labels, st.lists(kinds, min_size=2, max_size=4, unique=True))
def test_kinds_of_a_variant_have_names_of_their_own(
    service: str, variant: str, several: list[str]
) -> None:
    names = {target_name(service, Target(variant, kind)) for kind in several}
    assert len(names) == len(several)


def test_pods_on_cpu_have_the_plain_name() -> None:
    assert target_name("resnet", Target("r18")) == "resnet-r18"
    assert target_name("resnet", Target("r18", "nvidia.com/gpu")).startswith("resnet-r18-gpu-")


def test_two_vendors_gpus_differ() -> None:
    assert kind_slug("nvidia.com/gpu") != kind_slug("amd.com/gpu")


def test_a_variant_called_router_is_not_the_router() -> None:
    assert target_name("resnet", Target("router")) != router_name("resnet")


@pytest.mark.parametrize("kind", ["cpu", "nvidia.com/gpu"])
def test_what_belongs_to_a_target_belongs_to_its_service(kind: str) -> None:
    labels = target_labels("resnet", Target("r18", kind))
    assert service_labels("resnet").items() <= labels.items()
    assert selector_of("resnet", Target("r18", kind)).items() <= labels.items()
