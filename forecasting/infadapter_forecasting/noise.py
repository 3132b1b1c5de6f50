"""The noise of Poisson arrivals: what a mean is off by chance, and from where on it is a change."""

import math

SURPRISE_SIGMAS = 3.5
"""
How far a shorter mean must be off, in standard deviations of Poisson arrivals, to be a change and
not noise: at 3.5, a steady load of 20 rps is misread once in some 20 minutes of cycles, and a jump
from 20 to 60 rps is believed after its first second.
"""


def noise_rps(rate_rps: float, window_s: float) -> float:
    """The standard deviation of a mean over this long, of Poisson arrivals at this rate."""
    return math.sqrt(max(rate_rps, 0.0) / window_s)
