"""One load in every form is read as the same load."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import trace_forms
from benchmarks.trace_forms import SAMPLES, Sample, load, main, sample_trace
from benchmarks.trace_sheet import COLUMNS


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.title)
def test_the_same_load_is_read_in_every_form(sample: Sample, tmp_path: Path) -> None:
    trace = sample_trace(sample, tmp_path)
    assert trace.seconds == 600
    assert trace.mean_rps == pytest.approx(load().mean(), rel=1e-4)
    minutes = trace.rates.reshape(-1, 60).mean(axis=1)
    assert minutes == pytest.approx(load().reshape(-1, 60).mean(axis=1), rel=1e-3)
    assert trace.form


def test_a_load_that_is_not_the_same_is_told_apart() -> None:
    assert np.ptp(load().reshape(-1, 60).mean(axis=1)) > 10


def test_the_sheet_is_drawn_and_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of it: all are read above."""
    monkeypatch.setattr(trace_forms, "SAMPLES", SAMPLES[:COLUMNS])
    path = tmp_path / "forms.png"
    with pytest.raises(SystemExit) as ended:
        main(["--output", str(path)])
    assert ended.value.code == 0
    assert 2_000 < path.stat().st_size < 15_000
