"""What the loop decides is what it decided before, unless somebody meant to change it."""

import pytest

from tests.golden.situations import SITUATIONS, file_of, recorded


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_loop_decides_and_does_what_it_did(name: str) -> None:
    told = "if this is meant: python -m tests.golden.situations, and read the difference"
    assert recorded(name).splitlines() == file_of(name).read_text().splitlines(), told
