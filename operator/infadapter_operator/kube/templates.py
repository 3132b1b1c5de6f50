"""Templates of a Deployment, and whether a pod comes from the newest one. Pure."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from infadapter_operator.kube.statuses import condition, part, text

HASH_LABEL = "pod-template-hash"  # set by the platform on every pod of a Deployment
_QUOTED = re.compile(r'(?i)replica set "([^"]+)"|replicaset "([^"]+)"')


def digest_of(deployment: Mapping[str, Any]) -> str:
    """
    Return a digest of the template of new pods without their sizes, which change all the time.

    A fault of pods of one size affects other sizes as well. `kubectl rollout restart` makes another
    template.
    """
    template = deployment["spec"]["template"]
    containers = [
        {key: value for key, value in container.items() if key != "resources"}
        for container in template["spec"]["containers"]
    ]
    spec = {**template["spec"], "containers": containers}
    told = json.dumps([template.get("metadata"), spec], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def newest_hash(deployment: Mapping[str, Any]) -> str | None:
    """
    Return the hash of the newest ReplicaSet, which the Deployment's Progressing condition names.
    """
    progressing = condition(part(deployment, "status"), "Progressing")
    found = _QUOTED.search(text(progressing, "message"))
    prefix = f"{deployment['metadata']['name']}-"
    name = (found[1] or found[2]) if found else ""
    return name.removeprefix(prefix) if name.startswith(prefix) else None


def template_hash(pod: Mapping[str, Any]) -> str:
    return text(part(pod["metadata"], "labels"), HASH_LABEL)
