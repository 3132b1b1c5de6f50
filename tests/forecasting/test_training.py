import numpy as np
import pytest

torch = pytest.importorskip("torch")

from infadapter_forecasting.conformal import LEVELS  # noqa: E402
from infadapter_forecasting.features import features  # noqa: E402
from infadapter_forecasting.lstm import PublishedLstm, minute_maxima  # noqa: E402
from infadapter_forecasting.quantile_network import (  # noqa: E402
    BUCKETS_S,
    HORIZONS_S,
    QuantileNetwork,
)
from infadapter_forecasting.training import lstm as lstm_training  # noqa: E402
from infadapter_forecasting.training import quantile_network as quantile_training  # noqa: E402
from infadapter_forecasting.training.loads import varied_loads  # noqa: E402

QUICK = quantile_training.Schedule(epochs=2, batch=64, most_samples=1_500, threads=1)
QUICK_LSTM = lstm_training.LstmSchedule(epochs=2, threads=1)


def poisson(rate_rps: float, seconds: int) -> np.ndarray:
    return np.random.default_rng(0).poisson(rate_rps, seconds).astype(float)


@pytest.mark.parametrize("bucket_s", BUCKETS_S)
def test_the_quantile_network_says_in_numpy_what_it_says_in_torch(bucket_s: int) -> None:
    torch.manual_seed(0)
    net = quantile_training.Network()
    history, origins = poisson(50, 2_400), np.arange(60, 2_401, 90)
    seen = features(history, origins)
    with torch.no_grad():
        heads = net(torch.tensor(seen.inputs, dtype=torch.float32)).numpy()
    ours = QuantileNetwork(weights=quantile_training.to_arrays(net), bucket_s=bucket_s)
    for at, horizon_s in enumerate(HORIZONS_S):
        head = heads[:, BUCKETS_S.index(bucket_s) * len(HORIZONS_S) + at]
        expected = seen.level_rps[:, None] + seen.spread_rps[:, None] * head
        found = ours.predict_many(history, origins, horizon_s, LEVELS)
        assert found == pytest.approx(np.maximum(expected, 0), rel=1e-5, abs=1e-4)


def test_the_lstm_says_in_numpy_what_it_says_in_torch() -> None:
    torch.manual_seed(0)
    net = lstm_training.Network()
    history, origins = poisson(50, 2_400), np.arange(600, 2_401, 90)
    windows = torch.tensor(minute_maxima(history, origins), dtype=torch.float32)
    with torch.no_grad():
        expected = net(windows).numpy()
    found = PublishedLstm(weights=net.to_numpy()).next_maximum(windows.numpy().astype(float))
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.process
def test_the_same_seed_trains_the_same_network_and_tells_how_it_goes() -> None:
    traces = varied_loads(6, seed=3)
    told: list[int] = []
    first, second = (
        quantile_training.train_quantile_network(
            traces, seed=1, schedule=QUICK, progress=lambda epoch, loss: told.append(epoch)
        )
        for _ in range(2)
    )
    assert told == [0, 1, 0, 1]
    assert (first.weights["last_weight"] == second.weights["last_weight"]).all()


def test_training_leaves_the_random_numbers_of_others_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    lstm_training.train_published_lstm(poisson(20, 1_200), schedule=QUICK_LSTM)
    assert torch.equal(torch.rand(1), expected)


def test_both_lstms_learn_a_load_that_does_not_change() -> None:
    rates = poisson(60, 40_000)
    schedule = lstm_training.LstmSchedule(epochs=8, batch=32, learning_rate=5e-3, threads=1)
    published = lstm_training.train_published_lstm(rates, schedule=schedule)
    scaled = lstm_training.train_scaled_lstm([rates], schedule=schedule)
    for method in (published, scaled):
        assert method.predict(rates, 60, (0.5,)) == pytest.approx([78.5], rel=0.12)


def test_made_up_loads_are_the_same_for_a_seed_and_what_can_be_measured() -> None:
    loads = varied_loads(20, seed=2)
    assert all((one == other).all() for one, other in zip(loads, varied_loads(5, 2), strict=False))
    for rates in loads:
        assert np.isfinite(rates).all()
        assert (rates >= 0).all()


def test_a_trace_too_short_to_learn_from_is_left_out() -> None:
    traces = [*varied_loads(3, seed=1), poisson(5, 100)]
    assert quantile_training.train_quantile_network(traces, schedule=QUICK).name


def test_training_can_go_on_from_a_network_that_there_is() -> None:
    start = QuantileNetwork.read()
    slow = quantile_training.Schedule(epochs=1, learning_rate=1e-6, most_samples=1_500, threads=1)
    adapted = quantile_training.train_quantile_network(
        varied_loads(4, seed=1), start=start, schedule=slow
    )
    for name, array in start.weights.items():
        assert adapted.weights[name] == pytest.approx(array, abs=1e-4)
