from pathlib import Path

import numpy as np
import pytest

from infadapter_server.loadgen.moments import of_rate, of_trace, read_moments
from infadapter_workload.arrivals import arrival_times
from infadapter_workload.shaping import sliced
from infadapter_workload.trace import Trace, TraceError

COUNTED = Trace(name="counted", rates=np.array([10.0, 0, 30, 400]), counted=True)


def written(folder: Path, text: str) -> Path:
    path = folder / "arrivals.txt"
    path.write_text(text, encoding="utf-8")
    return path


def moments(
    *, scale: float = 1.0, duration_s: float | None = None, compress_s: float | None = None
) -> list[float]:
    found = of_trace(COUNTED, scale=scale, seed=4, duration_s=duration_s, compress_s=compress_s)
    return [float(moment_s) for moment_s in found]


def test_a_trace_is_played_as_the_simulator_plays_it() -> None:
    assert moments() == arrival_times(COUNTED, 4).tolist()


@pytest.mark.parametrize(("duration_s", "seconds"), [(2.0, 2), (2.5, 3), (99.0, 4)])
def test_a_trace_is_cut_to_its_first_whole_seconds(duration_s: float, seconds: int) -> None:
    assert moments(duration_s=duration_s) == arrival_times(sliced(COUNTED, 0, seconds), 4).tolist()


def test_a_trace_is_scaled_and_what_is_left_of_it_compressed() -> None:
    short = moments(scale=100.0, duration_s=3, compress_s=1.5)
    assert len(short) == pytest.approx(2000, rel=0.1)
    assert not [moment_s for moment_s in short if 0.5 <= moment_s < 1.0]
    assert 1.4 < short[-1] < 1.5


def test_a_scale_beyond_all_bounds_is_too_many_requests() -> None:
    with pytest.raises(TraceError, match="may send 5,000,000 requests, not"):
        moments(scale=1e300)


def test_a_run_is_bounded_in_time_and_number() -> None:
    with pytest.raises(TraceError, match="may last 86400 s"):
        of_rate(1, 1e6, seed=0)
    with pytest.raises(TraceError, match="may send 5,000,000 requests, not 100,000,000"):
        of_trace(
            Trace(name="high", rates=np.array([1e6] * 100)),
            scale=1,
            seed=0,
            duration_s=None,
            compress_s=None,
        )


def test_arrivals_are_read_as_they_are_or_refused(tmp_path: Path) -> None:
    assert read_moments(written(tmp_path, "0.5\n0.5\n2\n")).tolist() == [0.5, 0.5, 2]
    with pytest.raises(TraceError, match="must hold one number a line"):
        read_moments(Path("/dev/zero"))
    for text in ("2\n1\n", "-1\n", "nan\n", "0 1\n1 2\n"):
        with pytest.raises(TraceError, match="finite, sorted and not below 0"):
            read_moments(written(tmp_path, text))
    with pytest.raises(TraceError, match="one number a line"):
        read_moments(written(tmp_path, "soon\n"))
