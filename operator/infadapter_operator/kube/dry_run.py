"""
Validate pod templates by a dry run on the API server.

The CRD's schema leaves pod templates open, because the pod API grows with every Kubernetes version.
"""

import re
from collections.abc import Mapping

from infadapter_operator.kube.client import KubeApi
from infadapter_operator.kube.objects import Owner, Workload, build_deployment
from infadapter_operator.kube.paths import deployments
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_solver.problem import CPU, PodSize, Target

_DRY_RUN = {"dryRun": "All", "fieldValidation": "Strict"}


async def template_problems(
    api: KubeApi, owner: Owner, workloads: Mapping[str, Workload]
) -> tuple[str, ...]:
    """
    Return one sentence for each variant whose template is refused. Raises PlatformUnavailable.
    """
    found = [
        await _problem(api, owner, workload)
        for workload in workloads.values()
        if workload.template is not None
    ]
    return tuple(problem for problem in found if problem)


async def _problem(api: KubeApi, owner: Owner, workload: Workload) -> str:
    size, kind = PodSize(resources={CPU: 1000}), CPU
    if workload.allocations:
        size, kind = workload.allocations[0].size, workload.allocations[0].kind
    body = build_deployment(owner, workload, Target(workload.variant, kind), size, 0)
    metadata = {**body["metadata"], "generateName": "infadapter-check-"}
    del metadata["name"]
    try:
        await api.create(deployments(owner.namespace), {**body, "metadata": metadata}, **_DRY_RUN)
    except ApiRefusal as refusal:
        if refusal.is_quota:  # a quota on Deployments: this one may exist already
            return ""
        return f"variant {workload.variant}: {_sentence(refusal.message)}"
    return ""


def _sentence(message: str) -> str:
    """
    Return the message without the name of the dry-run object, and with paths as in the user's spec.
    """
    message = re.sub(r'^Deployment\.apps "[^"]*" is invalid: ', "", message)
    message = re.sub(r"^Deployment in version \S+ cannot be handled as a Deployment: ", "", message)
    message = message.removeprefix("strict decoding error: ")
    return message.replace("spec.template.", "template.")
