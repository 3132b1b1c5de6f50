"""SubNetAct's claims on a network whose weights weigh: of OFA-ResNet50's shapes, random weights."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
import torch
from torch import Tensor

from benchmarks.supernet import memory
from benchmarks.supernet.memory import MANY
from infadapter_server.networks.adaptive.elastic import Elastic, blank_statistics
from infadapter_server.networks.adaptive.plain import Plain, extract
from infadapter_server.networks.adaptive.points import Point
from infadapter_server.networks.adaptive.shapes import RESNET50
from infadapter_server.networks.adaptive.space import Space, SubNet
from infadapter_server.networks.adaptive.supernet import Selected, SuperNet

SHAPES = {
    "smallest": RESNET50.smallest(),
    "middle": RESNET50.uniform(0.8, 0.25 / 0.35, (3, 3, 5, 3)),
    "largest": RESNET50.largest(),
}
Ways = Mapping[str, Callable[[str, Tensor], object]]


def report(sides: Sequence[int], rounds: int) -> None:
    torch.manual_seed(1)
    network = Elastic(RESNET50).eval()
    memory.report(network)
    served = _served(network, SHAPES)
    plain = {n: extract(network, s.subnet, s.statistics) for n, s in served.selected.items()}
    ways: Ways = {
        "SuperNet": lambda name, images: served.run(images.numpy(), name),
        "ladder": lambda name, images: _run(plain[name], images),
    }
    for side, batch in product(sides, (1, 4)):
        _sliced(ways, torch.randn(batch, 3, side, side), rounds)
    _switches(ways, torch.randn(1, 3, min(sides), min(sides)), rounds)
    _actuation(network)
    _loads(network, plain)


def _served(network: Elastic, subnets: dict[str, SubNet]) -> SuperNet:
    selected = [
        Selected(Point(name, 1.0, {}), subnet, blank_statistics(RESNET50, subnet))
        for name, subnet in subnets.items()
    ]
    return SuperNet(network, selected)


def _sliced(ways: Ways, images: Tensor, rounds: int) -> None:
    print(f"\nsliced against standalone, input {list(images.shape)}, medians of {rounds} pairs, ms")
    for name in SHAPES:
        for way in ways.values():
            way(name, images)
        spent = []
        for number in range(rounds):
            # Each first as often as the other, so that a slow moment befalls both.
            order = list(ways)[:: 1 if number % 2 else -1]
            took = {way: _seconds(ways[way], name, images) for way in order}
            spent.append([took[way] for way in ways])
        _compared(f"{name:9}", spent, "1.15")


def _switches(ways: Ways, images: Tensor, rounds: int) -> None:
    """A, A, B, B, A, A …: the first of each pair comes after a switch, the second doesn't."""
    print(f"\nthe first after a switch against the next, medians of {rounds} switches to each, ms")
    for way, run in ways.items():
        spent: dict[str, list[list[float]]] = {name: [] for name in SHAPES}
        for name in [*SHAPES] * rounds:
            spent[name].append([_seconds(run, name, images) for _ in range(2)])
        for name, pairs in spent.items():
            _compared(f"{way:9} to {name:9}", pairs, "1.1")


def _actuation(network: Elastic) -> None:
    """The look-up of a SubNet that is known, and the views of one that nobody has asked for."""
    rng = random.Random(2)
    served = _served(network, {f"subnet-{n}": RESNET50.sample(rng) for n in range(MANY)})
    known = [_seconds(served.actuated, name) for name in [*served.selected] * 50]
    fresh = [RESNET50.sample(rng) for _ in range(1000)]
    blanks = [blank_statistics(RESNET50, subnet) for subnet in fresh]
    anew = [_seconds(network.bind, *each) for each in zip(fresh, blanks, strict=True)]
    print("\nactuation, µs (wanted p99 < 1000, aim 50)")
    for way, spent in ((f"one of {MANY} that are served", known), ("any other SubNet", anew)):
        p50, p99 = 1e6 * np.percentile(spent, [50, 99])
        print(f"  {way:26} p50 {p50:.1f}  p99 {p99:.1f}")


def _loads(network: Elastic, plain: Mapping[str, Plain]) -> None:
    print("\na load of the standalone network, its weights in memory already, ms")
    for name, each in plain.items():
        spent = [_seconds(_loaded, network.space, SHAPES[name], each) for _ in range(3)]
        print(f"  {name:9} {1000 * min(spent):.0f}")


def _loaded(space: Space, subnet: SubNet, like: Plain) -> None:
    Plain(space, subnet).load_state_dict(like.state_dict())


def _run(plain: Plain, images: Tensor) -> Tensor:
    with torch.inference_mode():
        answer: Tensor = plain(images)
    return answer


def _seconds(run: Callable[..., object], *given: object) -> float:
    began_s = time.perf_counter()
    run(*given)
    return time.perf_counter() - began_s


def _compared(label: str, pairs: Sequence[Sequence[float]], wanted: str) -> None:
    ours, theirs = 1000 * np.array(pairs).T
    print(
        f"  {label} {np.median(ours):8.2f} {np.median(theirs):8.2f}  "
        f"ratio {np.median(ours / theirs):.3f}  (wanted ≤ {wanted})"
    )
