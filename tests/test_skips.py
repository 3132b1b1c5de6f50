import os
import shutil
import subprocess
import sys
from pathlib import Path

SKIPS = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_needs_a_file(number):
    pytest.skip("no file at hand")

@pytest.mark.skipif(True, reason="no tool on the PATH")
def test_needs_a_tool(): ...

def test_needs_nothing(): ...
"""


def run_pytest(folder: Path, tests: str) -> str:
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    (folder / "pytest.ini").write_text("[pytest]")
    (folder / "test_some.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # no other plugin is asked
    return subprocess.run(
        command, cwd=folder, env=alone, capture_output=True, text=True, check=True
    ).stdout


def test_the_summary_names_each_reason_for_skipping_once(tmp_path: Path) -> None:
    lines = run_pytest(tmp_path, SKIPS).splitlines()
    assert "   3  no file at hand" in lines
    assert "   1  no tool on the PATH" in lines
    assert sum("no file at hand" in line for line in lines) == 1


def test_no_summary_where_nothing_is_skipped(tmp_path: Path) -> None:
    assert "skipped" not in run_pytest(tmp_path, "def test_needs_nothing(): ...")
