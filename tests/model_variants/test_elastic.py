"""SubNets of one set of weights: each computes what an ordinary network of its shape does."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_server.networks.adaptive.calibration import calibrate, shared_statistics
from infadapter_server.networks.adaptive.elastic import Elastic, blank_statistics
from infadapter_server.networks.adaptive.plain import Plain, extract
from infadapter_server.networks.adaptive.shapes import MNIST1D, RESNET50
from infadapter_server.networks.adaptive.space import Space, Stage, SubNet

SMALL = Space(
    inputs=2,
    classes=5,
    stem=8,
    stem_kernel=(3, 3),
    stem_stride=(1, 1),
    kernels=((1, 1), (3, 3), (1, 1)),
    stages=(
        Stage(channels=8, inner=6, least=0, most=2, stride=(1, 1)),
        Stage(channels=12, inner=10, least=1, most=3, stride=(2, 2)),
    ),
    widths=(1 / 4, 1 / 2, 1.0),
    streams=(1 / 4, 1.0),
    pool=True,
)
subnets = st.integers(0, 2**32).map(lambda seed: SMALL.sample(random.Random(seed)))


@pytest.fixture(scope="module")
def network() -> Elastic:
    torch.manual_seed(1)
    return Elastic(SMALL).eval()


@given(subnet=subnets, batch=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_a_subnet_is_an_ordinary_network_with_the_sliced_weights(
    network: Elastic, subnet: SubNet, batch: int
) -> None:
    statistics = calibrate(network, subnet, torch.randn(30, 2, 9, 9))
    images = torch.randn(batch, 2, 9, 9)
    with torch.inference_mode():
        answered = network.compute(images, subnet, network.bind(subnet, statistics))
        wanted = extract(network, subnet, statistics)(images)
    torch.testing.assert_close(answered, wanted, atol=1e-4, rtol=0)


@given(subnet=subnets)
@settings(max_examples=25, deadline=None)
def test_weights_are_counted_as_the_ordinary_network_has_them(subnet: SubNet) -> None:
    plain = Plain(SMALL, subnet)
    counted = sum(p.numel() for p in plain.parameters())
    normalisation = sum(2 * way.outputs for way in SMALL.convolutions(subnet))
    assert SMALL.weights(subnet) == counted - normalisation


@given(subnet=subnets)
@settings(max_examples=25, deadline=None)
def test_what_is_bound_is_views_that_hold_no_memory_of_their_own(
    network: Elastic, subnet: SubNet
) -> None:
    shared = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    statistics = blank_statistics(SMALL, subnet)
    for step in network.bind(subnet, statistics):
        held = (step.weight, step.gamma, step.beta)
        assert {tensor.untyped_storage().data_ptr() for tensor in held} <= shared
        assert step.mean.untyped_storage().data_ptr() == statistics.untyped_storage().data_ptr()


@given(subnet=subnets)
def test_what_is_drawn_is_in_the_space(subnet: SubNet) -> None:
    assert SMALL.holds(subnet)
    assert not SMALL.holds(SubNet(0.3, subnet.widths))
    assert not SMALL.holds(SubNet(1.0, subnet.widths[:1]))


def test_the_smallest_and_the_largest_are_the_bounds_of_the_space() -> None:
    for space in (SMALL, MNIST1D, RESNET50):
        most, least = space.weights(space.largest()), space.weights(space.smallest())
        for seed in range(50):
            assert least <= space.weights(space.sample(random.Random(seed))) <= most


@given(fraction=st.sampled_from((0.2, 0.5, 0.65, 1.0)), most=st.integers(1, 400))
def test_channels_are_rounded_up_to_the_multiple_and_never_more_than_there_are(
    fraction: float, most: int
) -> None:
    channels = RESNET50.channels(fraction, most)
    assert fraction * most <= channels <= most
    assert channels == most or channels % 8 == 0
    assert channels - 8 < fraction * most


def test_calibration_is_the_mean_over_what_the_subnet_itself_sees(network: Elastic) -> None:
    subnet, images = SMALL.smallest(), torch.randn(1000, 2, 9, 9)
    statistics = calibrate(network, subnet, images)
    first = network.bind(subnet, statistics)[0]
    seen = torch.nn.functional.conv2d(images, first.weight, None, first.stride, first.padding)
    torch.testing.assert_close(first.mean, seen.mean((0, 2, 3)), atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(first.variance, seen.var((0, 2, 3)), atol=1e-3, rtol=2e-2)


def test_shared_statistics_are_the_leading_ones_of_the_largest(network: Elastic) -> None:
    largest = calibrate(network, SMALL.largest(), torch.randn(20, 2, 9, 9))
    torch.testing.assert_close(shared_statistics(network, SMALL.largest(), largest), largest)
    smallest = shared_statistics(network, SMALL.smallest(), largest)
    assert torch.equal(smallest[:, :2], largest[:, :2])
    assert smallest.shape == blank_statistics(SMALL, SMALL.smallest()).shape
