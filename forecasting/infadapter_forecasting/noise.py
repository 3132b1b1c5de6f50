"""
The noise of Poisson arrivals: the deviation of a mean by chance, and when a deviation is a change.
"""

import math

SURPRISE_SIGMAS = 3.5
"""
Deviation of a shorter mean, in standard deviations of Poisson arrivals, that counts as a change. At
3.5 a steady load of 20 rps is misread once in about 20 minutes of cycles, and a jump from 20 to 60
rps is detected after its first second.
"""


def noise_rps(rate_rps: float, window_s: float) -> float:
    """Return the standard deviation of a mean over this window under Poisson arrivals, rps."""
    return math.sqrt(max(rate_rps, 0.0) / window_s)
