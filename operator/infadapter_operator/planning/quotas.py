"""
Surge within the quotas of a namespace: what they leave beside the budget, and no more.

Where a quota is the budget, the API server refuses what is started beyond it; it is planned and
rolled out as without surge then. A quota that leaves less than the budget changes no plan: that its
pods are refused is told as it is.
"""

from collections.abc import Mapping
from dataclasses import replace

from infadapter_operator.domain.service import Service
from infadapter_solver.problem import Resources

Quotas = Mapping[str, Resources]


def within_quotas(service: Service, quotas: Quotas) -> Service:
    """With the surge that all of them leave."""
    left = {name: _least(service, quotas, name) for name in service.max_surge}
    return service if left == service.max_surge else replace(service, max_surge=left)


def limiting(service: Service, quotas: Quotas, *, margin: float = 0.0) -> tuple[str, ...]:
    """Those that leave less than the surge that is asked for, and so much of it more."""
    return tuple(
        quota
        for quota, allowed in sorted(quotas.items())
        if any(
            _left(service, allowed, name) < (1 + margin) * asked
            for name, asked in service.max_surge.items()
            if asked and name in allowed
        )
    )


def _least(service: Service, quotas: Quotas, name: str) -> int:
    left = (_left(service, allowed, name) for allowed in quotas.values() if name in allowed)
    return min((service.max_surge[name], *left))


def _left(service: Service, allowed: Resources, name: str) -> int:
    return max(0, allowed[name] - service.budget.get(name, 0))
