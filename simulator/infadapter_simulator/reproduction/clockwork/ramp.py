"""The rising SLO of §6.3 and §6.4: from 1 to 100 × 2.9 ms, × 1.5 per step."""

ALONE_S = 0.0029
"""Execution time of ResNet-50 alone, as the paper states it for these experiments, s."""

MULTIPLES = (*(1.5**step for step in range(12)), 100.0)


def slo_s(at_s: float, step_s: float) -> float:
    step = min(len(MULTIPLES) - 1, int(at_s / step_s))
    return ALONE_S * MULTIPLES[step]
