"""
Check, before kopf starts, that the operator may list the objects that it works on.

kopf reports a refusal in the words of its libraries, many times a second or with a traceback. What
is missing may still come (a role applied later, CRDs, a server that starts), so the operator waits
for it.
"""

import asyncio
import logging
import re
from collections.abc import Iterator, Sequence

from infadapter_operator.domain.names import GROUP, PROFILES, SERVICES, VERSION
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.kube import paths
from infadapter_operator.kube.client import KubeApi
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_profiles.backoff import backoff_s

RETRY_FIRST_S, RETRY_MOST_S = 1.0, 30.0
_ADDRESS = "Look whether it runs, and whether the kubeconfig has its address."
_logger = logging.getLogger(__name__)
_NAME = re.compile("[a-z0-9-]+")  # kopf takes patterns of namespaces too


async def wait_for_access(
    api: KubeApi, namespaces: Sequence[str], first_s: float = RETRY_FIRST_S
) -> None:
    """Return once both kinds can be listed. Until then log the problem, at growing intervals."""
    failures = 0
    while (problem := await problem_of(api, namespaces)) is not None:
        failures += 1
        wait_s = backoff_s(first_s, failures, RETRY_MOST_S)
        _logger.warning("%s Asked again in %g s.", problem, wait_s)
        await asyncio.sleep(wait_s)


async def problem_of(api: KubeApi, namespaces: Sequence[str]) -> str | None:
    """Return what is missing and what to do about it, or None."""
    for path in _lists(namespaces):
        try:
            answer = await api.request("GET", path, query={"limit": "1"})
        except PlatformUnavailable as unavailable:
            return f"{api.host} is unavailable: {unavailable}. {_ADDRESS}"
        except ApiRefusal as refusal:
            return _advice(api.host, refusal)
        if not isinstance(answer.get("items"), list):
            return f"{api.host} answers, but not as an API server does. {_ADDRESS}"
    return None


async def is_gone(api: KubeApi, path: str, uid: str) -> bool:
    """Whether no object of this uid exists at the path. Without an answer it counts as existing."""
    try:
        there = await api.get(path)
    except (PlatformUnavailable, ApiRefusal):
        return False
    return there is None or there["metadata"].get("uid") != uid


def _lists(namespaces: Sequence[str]) -> Iterator[str]:
    for kind in (SERVICES, PROFILES):
        if not namespaces:
            yield f"/apis/{GROUP}/{VERSION}/{kind}"
        for namespace in filter(_NAME.fullmatch, namespaces):
            yield paths.custom(GROUP, VERSION, namespace, kind)


def _advice(host: str, refusal: ApiRefusal) -> str:
    if refusal.status == 401:
        return (
            f"{host} rejects the credentials (401): renew the token of the kubeconfig, or look"
            " whether the pod's service account is there."
        )
    if refusal.status == 403:
        return (
            f"{host} forbids it: {refusal}. Grant the operator its role: it is in the chart and"
            " in manifests/rbac.yaml."
        )
    if refusal.status == 404:
        return (
            f"{host} has no {SERVICES}.{GROUP} or {PROFILES}.{GROUP}: install the CRDs, which are"
            " in the chart and in manifests/crds."
        )
    return f"{host} refuses: {refusal}."
