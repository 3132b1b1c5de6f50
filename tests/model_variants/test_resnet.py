"""The ResNets against what is published of torchvision's, whose weight files they must take."""

import pytest
import torch

from infadapter_server.networks.resnet import BasicBlock, Bottleneck, ResNet, resnet

NORMALISATION = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
BLOCKS = {  # He et al., table 1: blocks a stage, and convolutions a block
    "resnet18": ((2, 2, 2, 2), 2),
    "resnet34": ((3, 4, 6, 3), 2),
    "resnet50": ((3, 4, 6, 3), 3),
    "resnet101": ((3, 4, 23, 3), 3),
    "resnet152": ((3, 8, 36, 3), 3),
}


def empty(name: str) -> ResNet:
    """A network without memory for its parameters, which is made at once."""
    with torch.device("meta"):
        return resnet(name)


def expected_keys(name: str) -> list[str]:
    """The keys of torchvision's state_dict, from its naming scheme."""
    stages, convolutions = BLOCKS[name]
    keys = ["conv1.weight", *(f"bn1.{part}" for part in NORMALISATION)]
    for stage, blocks in enumerate(stages, start=1):
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            for number in range(1, convolutions + 1):
                keys.append(f"{at}.conv{number}.weight")
                keys += [f"{at}.bn{number}.{part}" for part in NORMALISATION]
            # ResNet-18 and 34 begin their first stage with the width the stem has.
            if block == 0 and (stage > 1 or convolutions == 3):
                keys.append(f"{at}.downsample.0.weight")
                keys += [f"{at}.downsample.1.{part}" for part in NORMALISATION]
    return [*keys, "fc.weight", "fc.bias"]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
    ],
)
def test_parameters_are_as_many_as_torchvisions(name: str, parameters: int) -> None:
    assert sum(parameter.numel() for parameter in empty(name).parameters()) == parameters


@pytest.mark.parametrize("name", BLOCKS)
def test_keys_are_torchvisions_in_its_order(name: str) -> None:
    assert list(empty(name).state_dict()) == expected_keys(name)


def test_there_are_as_many_keys_as_in_the_published_files() -> None:
    # 62 parameters and 60 statistics for ResNet-18, and so on: an anchor for expected_keys itself.
    assert [len(expected_keys(name)) for name in BLOCKS] == [122, 218, 320, 626, 932]


def test_shapes_are_torchvisions_at_places_that_tell_versions_apart() -> None:
    state = empty("resnet50").state_dict()
    assert list(state["conv1.weight"].shape) == [64, 3, 7, 7]
    assert list(state["layer1.0.downsample.0.weight"].shape) == [256, 64, 1, 1]
    assert list(state["layer4.2.conv3.weight"].shape) == [2048, 512, 1, 1]
    assert list(state["fc.weight"].shape) == [1000, 2048]
    assert list(empty("resnet34").state_dict()["fc.weight"].shape) == [1000, 512]


@pytest.mark.parametrize(
    ("block", "outputs"), [(BasicBlock(8, 4, stride=2), 4), (Bottleneck(8, 4, stride=2), 16)]
)
def test_a_block_halves_the_image_in_its_3_by_3_convolution(
    block: BasicBlock | Bottleneck, outputs: int
) -> None:
    assert list(block(torch.rand(2, 8, 6, 6)).shape) == [2, outputs, 3, 3]
    strides = {
        convolution.kernel_size: convolution.stride
        for convolution in (block.conv1, block.conv2)
        if convolution.stride != (1, 1)
    }
    assert strides == {(3, 3): (2, 2)}


def test_images_become_one_logit_per_class() -> None:
    network = ResNet(Bottleneck, (1, 1, 1, 1), classes=7).eval()
    with torch.inference_mode():
        assert list(network(torch.rand(2, 3, 64, 64)).shape) == [2, 7]
