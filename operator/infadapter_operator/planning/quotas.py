"""
Surge within the ResourceQuotas of a namespace: no more than they leave beside the budget.

If a quota equals the budget, the API server refuses every start beyond it, so plans and rollouts
work as without surge. A quota below the budget changes no plan; that pods are refused is reported
as such.
"""

from collections.abc import Mapping
from dataclasses import replace

from infadapter_operator.domain.service import Service
from infadapter_solver.problem import Resources

Quotas = Mapping[str, Resources]


def within_quotas(service: Service, quotas: Quotas) -> Service:
    """Return the service with the surge that all quotas leave."""
    left = {name: _least(service, quotas, name) for name in service.max_surge}
    return service if left == service.max_surge else replace(service, max_surge=left)


def limiting(service: Service, quotas: Quotas, *, margin: float = 0.0) -> tuple[str, ...]:
    """Return the quotas that leave less than the requested surge, plus `margin` of it."""
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
