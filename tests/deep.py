"""
How many examples tests draw: few in `make test`, as each run draws others, and twenty times as many
in the deep profile (`HYPOTHESIS_PROFILE=deep`).
"""

import os

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
TIMES = 20


def drawn(usual: int) -> int:
    return TIMES * usual if DEEP else usual
