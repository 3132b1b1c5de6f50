import subprocess
import sys


def test_predicting_needs_neither_torch_nor_statsmodels_nor_the_other_components() -> None:
    program = (
        "import sys, numpy\n"
        "from infadapter_forecasting import QuantileNetwork\n"
        "QuantileNetwork.read().predict(numpy.ones(9), 60, (0.95,))\n"
        "print(*(name.split('.')[0] for name in sys.modules))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "numpy" in loaded
    assert not {"torch", "statsmodels", "scipy", "pandas"} & set(loaded)
    ours = {name for name in loaded if name.startswith("infadapter")}
    assert {name for name in ours if "editable" not in name} <= {"infadapter_forecasting"}
