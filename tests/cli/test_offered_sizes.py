"""Who asks what the operator would do is answered with the sizes that the operator offers."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from infadapter.command_line import main
from infadapter.profiles import read_profiles
from infadapter_profiles.offered import offered
from infadapter_solver import CPU

SLO_S = 0.75


def a_profile(path: Path) -> Path:
    """Of 10 rps a core, measured on one core and on four."""
    allocations = [
        {
            "resources": {"cpu": str(cores)},
            "saturationRps": str(12 * cores),
            "capacity": [{"latencyMilliseconds": 750, "percentile": 99, "rps": str(10 * cores)}],
        }
        for cores in (1, 4)
    ]
    document = {
        "apiVersion": "infadapter.io/v1alpha1",
        "kind": "VariantProfile",
        "metadata": {"name": "r18"},
        "spec": {"accuracy": "0.7", "loadSeconds": "2", "allocations": allocations},
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_solve_plans_a_size_between_the_measured_ones(tmp_path: Path) -> None:
    profiles = a_profile(tmp_path / "profiles.yaml")
    arguments = ["solve", "--profile", str(profiles), "--slo-ms", "750", "--demand", "19"]
    result = CliRunner().invoke(main, [*arguments, "--budget", "4", "--cost-weight", "0.5"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["cores"] == {"r18": 1.9}


def test_sizes_are_those_of_the_operator(tmp_path: Path) -> None:
    (profile,) = read_profiles(a_profile(tmp_path / "profiles.yaml"))
    sizes = {a.resources[CPU] for a in offered(profile, SLO_S, 99.0).allocations}
    assert sizes == set(range(1000, 4001, 100))


def test_simulate_offers_them_too(tmp_path: Path) -> None:
    profiles = a_profile(tmp_path / "profiles.yaml")
    trace = tmp_path / "trace.csv"
    trace.write_text("\n".join(["19"] * 120))
    arguments = ["simulate", "--trace", str(trace), "--profile", str(profiles), "--budget", "4"]
    arguments += ["--policies", "infadapter", "--format", "json", "--cost-weight", "0.5"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    ours = json.loads(result.stdout)["policies"]["infadapter"]
    assert ours["peak_cores_held"] % 1 == pytest.approx(0.5, abs=0.45)  # no whole cores
