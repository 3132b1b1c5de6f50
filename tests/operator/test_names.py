import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.names import (
    kind_slug,
    pod_names,
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


def generated(deployment: str, digest: str, letters: str) -> str:
    """Return a pod's name as Kubernetes generates it, cut to 58 characters before the suffix."""
    return f"{deployment}-{digest}-"[:58] + letters


pod_letters = st.text("bcdfghjklmnpqrstvwxz2456789", min_size=5, max_size=5)
digests = st.text("bcdfghjklmnpqrstvwxz2456789", min_size=1, max_size=10)
deployment_names = st.from_regex(
    r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]{1,9})?", fullmatch=True
)


@given(deployment_names, digests, pod_letters)
def test_pods_of_a_deployment_are_found_by_their_names_however_long(
    deployment: str, digest: str, letters: str
) -> None:
    """
    Pod names of a Deployment with 47 or more characters cut its name or hash. Regression: such pods
    were not counted, so behind a gateway there was no load at all.
    """
    assert re.fullmatch(pod_names(deployment), generated(deployment, digest, letters))


@pytest.mark.parametrize(
    ("deployment", "pod"),  # as Kubernetes 1.36 named them
    [
        ("a-big", "a-big-55bf79bc5f-v79f8"),
        (
            "text-classification-production-distilbert-base-uncased-v2",
            "text-classification-production-distilbert-base-uncased-v2-swz6l",
        ),
        (f"{'n' * 58}-7f31", f"{'n' * 58}jp7f2"),
    ],
)
def test_pods_that_were_seen_are_found(deployment: str, pod: str) -> None:
    assert re.fullmatch(pod_names(deployment), pod)


@pytest.mark.parametrize("length", [10, 47, 52])
@pytest.mark.parametrize("digest", ["6d4cf56db6", "7c9f8d5b4"])
def test_pods_of_a_deployment_whose_name_goes_on_are_not_found(length: int, digest: str) -> None:
    name = "a" * length
    for longer in (f"{name}-b", f"{name}b", f"{name}-b-c", f"{name}.b"):
        assert not re.fullmatch(pod_names(name), generated(longer, digest, "x2x9k"))
