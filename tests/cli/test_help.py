"""`--help` of each command, as the shell's user waits for it."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from infadapter.command_line import COMMANDS, main
from infadapter.commands.reproduce import PAPERS

HEAVY = ("torch", "numba", "matplotlib", "aiohttp", "kubernetes", "kopf", "fastapi", "statsmodels")

HELP = f"""
import sys
from click.testing import CliRunner
from infadapter.command_line import main

result = CliRunner().invoke(main, [sys.argv[1], "--help"])
print(result.exit_code, [name for name in {HEAVY} if name in sys.modules])
"""


@pytest.mark.process
@pytest.mark.parametrize("name", COMMANDS)
def test_help_imports_nothing_that_takes_long(name: str) -> None:
    command = [sys.executable, "-c", HELP, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n"


@pytest.mark.parametrize("name", PAPERS)
def test_each_paper_that_is_listed_has_its_command(name: str) -> None:
    result = CliRunner().invoke(main, ["reproduce", name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: infadapter reproduce {name} [OPTIONS]")
    assert PAPERS[name].help.split(":")[0].split(",")[0] in result.output
