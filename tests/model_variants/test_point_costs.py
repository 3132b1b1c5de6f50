"""What the scheduler is told of a model with operating points, by what its loads have measured."""

from dataclasses import replace

from infadapter_scheduler import Model, Point, with_points
from infadapter_server.executors.messages import ModelLoaded, Outcome
from infadapter_server.networks.signatures import Signature
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.costs import Costs
from infadapter_server.serving.layout import Found
from infadapter_server.serving.measurements import Measurements
from infadapter_server.serving.model_config import ModelConfig
from infadapter_server.serving.slowing import Speed, slowed

MIB = 2**20
SIGNATURE = Signature(input_shape=(1,), output_shape=(1,))
CONFIG = ModelConfig(signature=SIGNATURE, batch_sizes=(1, 2))
FOUND = Found(
    stored=Stored(
        name="m",
        version="1",
        format=Format.PYTHON,
        signature=SIGNATURE,
        file="model.py",
        batch_sizes=(1, 2),
    ),
    config=CONFIG,
    file_bytes=100,
    stamp="s",
)
SMALL, LARGE = Point("small", 0.8, {1: 0.01, 2: 0.02}), Point("large", 0.9, {1: 0.1, 2: 0.2})


def report(*points: Point, took_s: float = 1.0) -> ModelLoaded:
    sizes = points[-1].execution_s
    return ModelLoaded("m", Outcome.DONE, 0.0, took_s, 2 * MIB, sizes, points=points)


def test_a_first_load_tells_the_points_and_a_second_how_long_a_load_takes() -> None:
    costs = Costs(Measurements(None), MIB)
    assert costs.model(FOUND).points == ()
    costs.learn(FOUND, report(SMALL, LARGE))
    assert costs.model(FOUND) == with_points("m", (SMALL, LARGE), load_s=1.0, pages=2)
    costs.learn(FOUND, report(replace(SMALL, execution_s={1: 0.009}), LARGE, took_s=0.2))
    assert costs.model(FOUND) == with_points("m", (SMALL, LARGE), load_s=0.2, pages=2)


def test_a_point_whose_measurement_was_disturbed_is_corrected_alone() -> None:
    costs = Costs(Measurements(None), MIB)
    costs.learn(FOUND, report(replace(SMALL, execution_s={1: 0.05, 2: 0.02}), LARGE))
    costs.learn(FOUND, report(replace(SMALL, execution_s={1: 0.01}), LARGE))
    assert costs.model(FOUND).points == (SMALL, LARGE)


def test_a_profile_of_points_is_no_substitute_for_a_load_which_says_how_accurate_they_are() -> None:
    costs = Costs(Measurements(None), MIB)
    profiled = replace(CONFIG, load_s=1.0, execution_s={1: 0.1, 2: 0.2})
    assert not costs.missing(replace(FOUND, config=profiled))
    assert costs.missing(
        replace(FOUND, config=replace(profiled, points_s={"large": {1: 0.1, 2: 0.2}}))
    )


def test_below_a_core_every_point_takes_as_much_longer() -> None:
    halved = slowed(with_points("m", (SMALL, LARGE), load_s=1.0, pages=2), Speed(0.5))
    assert halved.execution_s == {1: 0.02, 2: 0.04}
    assert [point.execution_s[2] for point in halved.points] == [0.04, 0.4]
    assert slowed(Model("m", {1: 0.1}), Speed(0.5)) == Model("m", {1: 0.2})
