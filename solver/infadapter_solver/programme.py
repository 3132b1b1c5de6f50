"""
The mixed-integer programme of one service (InfAdapter, EuroMLSys'23, §3, with kinds and pods).

    targets t = (variant, kind), sizes a of t, segments s of a; every sum runs over all of them

    maximise    alpha * sum accuracy_tas * q_tas / demand  -  beta * sum cost_a * n_ta
                -  gamma * L / longest load                cost_a: share of what the budget costs
    subject to  demand        sum q_tas = demand                within 1e-9 of it
                serve_tas     q_tas   <= width_as * n_ta        width_as: at most all wanted
                one_size_t    sum_a z_ta <= 1
                only_if_ta    n_ta    <= N_ta * z_ta
                some_if_ta    n_ta    >= z_ta
                budget_r      sum use_ar * n_ta <= budget_r         for every resource r
                replicas      sum n_ta >= min_replicas
                floor         sum capacity_a * n_ta >= capacity_floor
                targets       sum z_ta <= max_targets
                start_ta      n_ta    <= at_hand_ta + N_ta * y_ta   y_ta = 1 if pods must start
                load_ta       L       >= load_t * y_ta
                z, y in {0, 1},  n whole,  q >= 0,  L >= 0

A pod's segments are those of `Variant.segments`: what it serves with its operating points, by the
accuracy that each request adds, which falls; so they fill in order by themselves. A request beyond
those of a faster point may add less than nothing, and is served where the demand needs it. Where
no size of a target has points, its sizes have one segment of the same accuracy, and are one:

                serve_t       q_t     <= sum_a capacity_a * n_ta

Where the demand cannot be served, the most that can be is found first (maximise sum q, with
sum q <= demand), and the objective is then maximised with that in place of the demand.

HiGHS's tolerances are absolute, so rates and resources are handed over in units in which the
demand and every budget are between 8 and 16 (with more, and with less, HiGHS took longer). The
units are powers of two: that rounds nothing. An equality would be a tolerance away from
infeasible, so the demand has a width.
"""

import pulp

from infadapter_solver.candidates import (
    Requirement,
    candidates,
    longest_load_s,
    most_pods,
    requirement,
    unit_cost_ratio,
)
from infadapter_solver.constraints import constrain
from infadapter_solver.objective import ROUNDING, TIE
from infadapter_solver.problem import Problem
from infadapter_solver.variables import Expression, Programme, variables_of

SCALE = 1000.0
"""Factor on the objective, so that HiGHS's absolute tolerance is far below a tie."""

CHEAPER_HINT = TIE / 2
"""Added to the cost weight, so that the cheaper of equal plans is found; always less than a tie."""

FEWER_MODELS_HINT = TIE / 4
"""
Subtracted in total for all targets, so that of equal plans the one with fewer variants is found.
"""


def best_programme(problem: Problem, wanted: Requirement) -> Programme:
    """Return the programme that meets the requirement with the best objective."""
    programme = variables_of(problem, wanted)
    model, most = programme.model, wanted.served_rps / programme.unit_rps
    served = pulp.lpSum(serving.served for serving in programme.serving)
    model += SCALE * _objective(programme), "objective"
    model += served <= most, "demand"
    model += served >= most * (1 - ROUNDING), "demand_served"
    constrain(programme)
    return programme


def most_programme(problem: Problem) -> Programme:
    """Return the programme that serves as much of the demand as possible."""
    most_rps = sum(
        max(most_pods(problem, requirement(problem), target, a) * a.capacity_rps for a in own)
        for target, own in candidates(problem).items()
    )
    programme = variables_of(
        problem, Requirement(min(requirement(problem).served_rps, most_rps), 0.0, 0)
    )
    model, most = programme.model, programme.wanted.served_rps / programme.unit_rps
    served = pulp.lpSum(serving.served for serving in programme.serving)
    model += served, "objective"
    model += served <= most, "demand"
    constrain(programme)
    return programme


def _objective(programme: Programme) -> Expression:
    problem = programme.problem
    gained = pulp.lpSum(serving.accuracy * serving.served for serving in programme.serving)
    cost = pulp.lpSum(
        unit_cost_ratio(problem, size.allocation) * size.pods for size in programme.sizes
    )
    models = pulp.lpSum(size.chosen for size in programme.sizes)
    return (
        problem.objective.accuracy_weight
        * programme.unit_rps
        / programme.wanted.served_rps
        * gained
        - (problem.objective.cost_weight + CHEAPER_HINT) * cost
        - FEWER_MODELS_HINT / len(candidates(problem)) * models
        - problem.objective.loading_weight / (longest_load_s(problem) or 1.0) * programme.loading_s
    )
