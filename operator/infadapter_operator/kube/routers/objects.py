"""
The objects of a service's bundled router: an Envoy Deployment, its ConfigMap, and the Service NAME.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from infadapter_operator.domain.names import (
    SERVICE_LABEL,
    TEMPLATE_ANNOTATION,
    router_labels,
    router_name,
)
from infadapter_operator.envoy.bootstrap import bootstrap
from infadapter_operator.kube.objects import Json, Owner
from infadapter_operator.settings import RouterSettings, Settings

LISTEN_PORT, ADMIN_PORT, STATS_PORT = 8080, 9901, 9902
BOOTSTRAP_FILE, LAST_GOOD_FILE = "bootstrap.json", "last-good.json"
_FOLDER = "/etc/infadapter"
_COMPONENT = "app.kubernetes.io/component"


def service_key(owner: Owner) -> str:
    """Return the name of a service in Envoy, xDS and Prometheus."""
    return f"{owner.namespace}/{owner.name}"


def build_config(owner: Owner, settings: Settings, slo_s: float, last_good: Json) -> Json:
    """Return the ConfigMap from which a router starts, even while the operator is down."""
    start = _bootstrap(owner, settings, slo_s, last_good)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(owner, router_name(owner.name)),
        "data": {
            BOOTSTRAP_FILE: json.dumps(start, sort_keys=True),
            LAST_GOOD_FILE: json.dumps(last_good, sort_keys=True),
        },
    }


def build_router(owner: Owner, settings: Settings, slo_s: float) -> Json:
    """
    Return the Deployment. It rolls when its start configuration changes, apart from the remembered
    pods.
    """
    template = _template(owner, settings.router)
    identity = [template, _bootstrap(owner, settings, slo_s, {"backends": []})]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    template["metadata"]["annotations"][TEMPLATE_ANNOTATION] = digest
    metadata = _metadata(owner, router_name(owner.name))
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**metadata, "annotations": {TEMPLATE_ANNOTATION: digest}},
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 2,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "selector": {"matchLabels": _selector(owner)},
            "template": template,
        },
    }


def build_front(owner: Owner) -> Json:
    """The Service that users send to: NAME, port 80."""
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(owner, owner.name),
        "spec": {"selector": _selector(owner), "ports": ports},
    }


def _bootstrap(owner: Owner, settings: Settings, slo_s: float, last_good: Json) -> Json:
    return bootstrap(
        service_key=service_key(owner),
        slo_s=slo_s,
        xds_host=settings.xds_host,
        xds_port=settings.xds_port,
        listen_port=LISTEN_PORT,
        admin_port=ADMIN_PORT,
        stats_port=STATS_PORT,
        last_good=last_good,
        listen_host=settings.listen_host,
    )


def _metadata(owner: Owner, name: str) -> Json:
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": router_labels(owner.name),
        "ownerReferences": [owner.reference],
    }


def _selector(owner: Owner) -> Json:
    return {SERVICE_LABEL: owner.name, _COMPONENT: router_labels(owner.name)[_COMPONENT]}


def _template(owner: Owner, router: RouterSettings) -> Json:
    """What the settings say comes last: lists are joined, everything else they replace."""
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [{"name": "start", "configMap": {"name": router_name(owner.name)}}],
    }
    return {
        "metadata": {
            "labels": router_labels(owner.name),
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": str(STATS_PORT),
                "prometheus.io/path": "/stats/prometheus",
            },
        },
        "spec": {
            **_joined(pod, router.pod),
            "containers": [_joined(_envoy(router), router.container)],
        },
    }


def _envoy(router: RouterSettings) -> Json:
    """One worker thread: the weighted round robin is smooth within a thread, not across them."""
    return {
        "name": "envoy",
        "image": router.image,
        "command": list(router.command),
        "args": [
            *("--config-path", f"{_FOLDER}/{BOOTSTRAP_FILE}"),
            *("--service-node", "$(POD_NAME)"),
            *("--concurrency", "1", "--log-level", "warning", "--disable-hot-restart"),
        ],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [
            {"name": "http", "containerPort": LISTEN_PORT},
            {"name": "stats", "containerPort": STATS_PORT},
        ],
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "stats"},
            "periodSeconds": 1,
            "timeoutSeconds": 2,
            "failureThreshold": 10,  # there is no other: a slow router is better than none
        },
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "resources": {
            "requests": {"cpu": router.cpu, "memory": "64Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "start", "mountPath": _FOLDER, "readOnly": True}],
    }


def _joined(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Json:
    return {key: _one(ours.get(key), theirs.get(key)) for key in _keys(ours, theirs)}


def _one(ours: Any, theirs: Any) -> Any:
    if theirs is None:
        return ours
    return [*ours, *theirs] if isinstance(ours, list) and isinstance(theirs, list) else theirs


def _keys(*mappings: Mapping[str, Any]) -> Iterable[str]:
    return dict.fromkeys(key for mapping in mappings for key in mapping)
