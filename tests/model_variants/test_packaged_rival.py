"""MLServer as a benchmark's rival: what it is told, and what is said where it can't be had."""

import json
import venv
from pathlib import Path
from typing import Any

import click
import pytest

from benchmarks.serving.networks import Network
from benchmarks.serving.packaged import PACKAGES, install, mlserver


def told(folder: Path, name: str) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((folder / name).read_text())
    return settings


def test_it_serves_the_network_in_one_process_on_the_port_that_is_given(tmp_path: Path) -> None:
    command = mlserver(Network("glyph-3"), 8090, tmp_path, batching=False)
    assert command[1:] == ["start", str(tmp_path)]
    server = told(tmp_path, "settings.json")
    assert (server["http_port"], server["parallel_workers"]) == (8090, 0)
    assert len({server[port] for port in ("http_port", "grpc_port", "metrics_port")}) == 3
    model = told(tmp_path, "model-settings.json")
    assert model["name"] == model["parameters"]["extra"]["network"] == "glyph-3"
    assert "max_batch_size" not in model


def test_with_batching_it_waits_as_long_as_the_other_rival(tmp_path: Path) -> None:
    mlserver(Network("glyph-3"), 8090, tmp_path, batching=True)
    model = told(tmp_path, "model-settings.json")
    assert (model["max_batch_size"], model["max_batch_time"]) == (8, 0.005)


def test_all_that_is_installed_is_pinned() -> None:
    lines = [line for line in PACKAGES.read_text().splitlines() if not line.startswith("#")]
    assert "mlserver==1.7.1" in lines
    assert all(line.count("==") == 1 for line in lines)


def test_what_is_installed_already_is_not_installed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "installed.txt").write_text(PACKAGES.read_text())
    monkeypatch.setattr(venv, "create", lambda *_, **__: pytest.fail("made anew"))
    install(tmp_path)


def test_without_a_package_index_a_sentence_says_so_and_nothing_counts_as_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_index(home: Path, **_: object) -> None:
        (home / "bin").mkdir()
        python = home / "bin" / "python"
        python.write_text("#!/bin/sh\necho 'ERROR: no matching distribution' >&2; exit 1\n")
        python.chmod(0o755)

    monkeypatch.setattr(venv, "create", without_index)
    with pytest.raises(click.ClickException, match=r"can't be installed .*no matching .*index, or"):
        install(tmp_path)
    assert not (tmp_path / "installed.txt").exists()
