"""
The number of examples that property-based tests draw: few in `make test`, since each run draws
others, and twenty times as many in the deep profile (`HYPOTHESIS_PROFILE=deep`).
"""

import os

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
TIMES = 20


def drawn(usual: int) -> int:
    return TIMES * usual if DEEP else usual
