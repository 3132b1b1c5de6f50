"""
Names, labels, annotations and the field manager of everything the operator writes.

A name is a function of (service, variant, kind), so that a restarted operator finds its objects. It
cannot be inverted: "a" + "b-c" equals "a-b" + "c". Labels say what an object belongs to.
"""

import hashlib
import re

from infadapter_solver.problem import CPU, Target

GROUP = "infadapter.io"
VERSION = "v1alpha1"
KIND = "InferenceService"
SERVICES = "inferenceservices"
PROFILES = "variantprofiles"
API_VERSION = f"{GROUP}/{VERSION}"

FIELD_MANAGER = "infadapter"
FINALIZER = f"{GROUP}/hand-back"

SERVICE_LABEL = f"{GROUP}/service"
VARIANT_LABEL = f"{GROUP}/variant"
KIND_LABEL = f"{GROUP}/kind"
TRAFFIC_LABEL = f"{GROUP}/traffic"  # on the pods that a Service of an HTTPRoute may send to
KIND_ANNOTATION = f"{GROUP}/kind"  # in full: a label can't hold "nvidia.com/gpu"
BATCH_ANNOTATION = f"{GROUP}/batch-size"
SERVER_ANNOTATION = f"{GROUP}/server"  # "container:port": what a pod answers with
TEMPLATE_ANNOTATION = f"{GROUP}/template"  # a digest of what the user wrote
ROLL_ANNOTATION = f"{GROUP}/rolled-at"  # restarts a rollout of an unchanged template
ADOPTED_ANNOTATION = f"{GROUP}/adopted"  # who adopted a Deployment, and its earlier values
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

MANAGED_BY = {"app.kubernetes.io/managed-by": "infadapter"}
MAX_NAME_CHARS = 63  # a DNS label, a label's value
_HASH_CHARS = 10  # of a template's hash, at most
_KEPT_CHARS = 58  # length of a generated name before its five random letters


def target_name(service: str, target: Target) -> str:
    """
    Return the name of a target's Deployment and Service: "resnet-resnet18",
    "resnet-resnet18-gpu-5e29".
    """
    name = f"{service}-{target.variant}"
    if target.kind != CPU:
        name = f"{name}-{kind_slug(target.kind)}"
    return _digested(name, target) if name == router_name(service) else fitted(name)


def router_name(service: str) -> str:
    """
    Return the name of the router's Deployment and ConfigMap. Its Service has the name of the
    service itself.
    """
    return fitted(f"{service}-router")


def kind_slug(kind: str) -> str:
    """
    Return a short, unambiguous form of a resource kind: two vendors may both have a resource called
    gpu.
    """
    if kind == CPU:
        return CPU
    word = re.sub("[^a-z0-9]", "", kind.rpartition("/")[2].lower())[:4] or "x"
    return f"{word}-{_digest(kind)}"


def fitted(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARS else _digested(name, name)


def pod_names(deployment: str) -> str:
    """
    Return an RE2 pattern for the names of a Deployment's pods, such as
    "resnet-r18-6d4cf56db6-x2x9k".

    If that name is too long, the platform cuts it and appends five letters without a hyphen.
    """
    begin = f"{deployment}-"[:_KEPT_CHARS]
    rest = MAX_NAME_CHARS - len(begin)
    may_be_cut = len(begin) + _HASH_CHARS >= _KEPT_CHARS
    end = f"([a-z0-9]+-[a-z0-9]{{5}}|[a-z0-9]{{{rest}}})" if may_be_cut else "[a-z0-9]+-[a-z0-9]+"
    return f"{begin.replace('.', '[.]')}{end}"


def service_labels(service: str) -> dict[str, str]:
    return {**MANAGED_BY, SERVICE_LABEL: service}


def selector_of(service: str, target: Target) -> dict[str, str]:
    """Return the selector of a target's Deployment. It is immutable: never add to it."""
    return {
        SERVICE_LABEL: service,
        VARIANT_LABEL: target.variant,
        KIND_LABEL: kind_slug(target.kind),
    }


def target_labels(service: str, target: Target) -> dict[str, str]:
    return {**MANAGED_BY, **selector_of(service, target)}


def router_labels(service: str) -> dict[str, str]:
    return {**service_labels(service), "app.kubernetes.io/component": "router"}


def _digested(name: str, identity: object) -> str:
    return f"{name[: MAX_NAME_CHARS - 5].rstrip('-')}-{_digest(str(identity))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:4]
