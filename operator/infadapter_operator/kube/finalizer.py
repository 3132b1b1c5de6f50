"""
The finalizer of services that borrow Deployments, so that deletion waits until these are given
back. Other services have none: what they own is deleted through ownerReferences, even while no
operator runs.
"""

import time
from collections.abc import Iterable

from infadapter_operator.domain.names import FINALIZER, GROUP, SERVICES, VERSION
from infadapter_operator.kube.adopt_deployments import hand_back
from infadapter_operator.kube.adoption import adoption_of
from infadapter_operator.kube.client import MERGE, Json
from infadapter_operator.kube.cluster import KubeCluster
from infadapter_operator.kube.paths import custom


def finalizers_of(document: Json) -> list[str]:
    return list(document["metadata"].get("finalizers") or ())


async def have_finalizer(cluster: KubeCluster, document: Json) -> Json:
    """Return the object with the finalizer. Call it before anything is borrowed."""
    finalizers = finalizers_of(document)
    if FINALIZER in finalizers:
        return document
    return await _write(cluster, document, [*finalizers, FINALIZER])


async def let_go(cluster: KubeCluster, document: Json) -> None:
    """Give back everything borrowed, then remove the finalizer."""
    await cluster.observe(time.time())
    for running in cluster.running.values():
        adoption = adoption_of(running.deployment) if running.borrowed else None
        if adoption and adoption.uid == cluster.owner.uid:
            await hand_back(cluster.api, running.deployment, running.pods)
    await _write(cluster, document, [f for f in finalizers_of(document) if f != FINALIZER])


async def _write(cluster: KubeCluster, document: Json, finalizers: Iterable[str]) -> Json:
    """
    Write the finalizers. Refused (409) if the object changed; the change will arrive through the
    watch.
    """
    owner = cluster.owner
    path = custom(GROUP, VERSION, owner.namespace, SERVICES, owner.name)
    version = document["metadata"]["resourceVersion"]
    metadata = {"finalizers": list(finalizers), "resourceVersion": version}
    return await cluster.api.patch(path, {"metadata": metadata}, MERGE)
