"""The CRDs on a real API server: objects it accepts and refuses, and how kubectl shows them."""

import copy
import json
import runpy
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from kubernetes import client, config

from infadapter_operator.api.condition import Condition, ConditionType
from infadapter_operator.api.objects import parse_service
from infadapter_operator.api.plan import PlannedPods, PlanStatus, plan_summary
from infadapter_operator.api.schema import crds
from infadapter_operator.api.status import InferenceServiceStatus
from infadapter_operator.domain.names import FIELD_MANAGER, GROUP, PROFILES, SERVICES, VERSION

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
CASES = runpy.run_path(str(ROOT / "tests/operator/api/api_cases.py"))
PLURAL = {"InferenceService": SERVICES, "VariantProfile": PROFILES}
EXAMPLE = CASES["EXAMPLE"]["InferenceService"]


def is_absent(call: Any, *arguments: Any) -> bool:
    try:
        call(*arguments)
    except client.ApiException as error:
        if error.status == 404:
            return True
        raise
    return False


def wait_until(done: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def custom() -> Iterator[client.CustomObjectsApi]:
    """The API with the CRDs. CRDs that exist, such as a chart's, are used and not deleted."""
    config.load_kube_config()  # type: ignore[no-untyped-call]
    definitions: Any = client.ApiextensionsV1Api()
    objects = client.CustomObjectsApi()
    read = definitions.read_custom_resource_definition
    ours = [crd for crd in crds() if is_absent(read, crd["metadata"]["name"])]
    for crd in ours:
        definitions.create_custom_resource_definition(crd, field_validation="Strict")
    for plural in PLURAL.values():
        listing = (GROUP, VERSION, "default", plural)
        wait_until(lambda at=listing: not is_absent(objects.list_namespaced_custom_object, *at))
    yield objects
    for crd in ours:
        name = crd["metadata"]["name"]
        definitions.delete_custom_resource_definition(name)
        wait_until(lambda name=name: is_absent(read, name))


@pytest.fixture(scope="module")
def namespace(custom: client.CustomObjectsApi) -> Iterator[str]:
    core: Any = client.CoreV1Api()
    name = f"infadapter-api-{uuid4().hex[:6]}"
    core.create_namespace({"metadata": {"name": name}})
    yield name
    core.delete_namespace(name)


@pytest.fixture(scope="module")
def kubectl() -> str:
    path = shutil.which("kubectl")
    if path is None:
        pytest.skip("no kubectl on the PATH")
    return path


def placed(document: dict[str, Any], namespace: str) -> dict[str, Any]:
    metadata = {**document["metadata"], "namespace": namespace}
    return {**copy.deepcopy(document), "metadata": metadata}


def create(custom: client.CustomObjectsApi, document: dict[str, Any], **options: Any) -> Any:
    return custom.create_namespaced_custom_object(
        GROUP,
        VERSION,
        document["metadata"]["namespace"],
        PLURAL[document["kind"]],
        document,
        field_validation="Strict",
        **options,
    )


@pytest.mark.parametrize("case", CASES["REFUSED"], ids=lambda case: case.name)
def test_the_server_refuses(case: Any, custom: client.CustomObjectsApi, namespace: str) -> None:
    with pytest.raises(client.ApiException) as refused:
        create(custom, placed(case.document, namespace), dry_run="All")
    assert refused.value.status in (400, 422)
    message = json.loads(refused.value.body or "")["message"]
    assert case.field in message
    assert case.says in message


@pytest.mark.parametrize("case", CASES["ACCEPTED"], ids=lambda case: case.name)
def test_the_server_accepts(case: Any, custom: client.CustomObjectsApi, namespace: str) -> None:
    stored = create(custom, placed(case.document, namespace), dry_run="All")
    if case.kind == "InferenceService":
        assert (
            parse_service(stored).spec == parse_service(case.document).spec
        )  # API server and models have the same defaults


@pytest.mark.parametrize("way", ["create", "apply", "apply --server-side"])
def test_kubectl_refuses_all_of_it_and_names_the_field(
    way: str, kubectl: str, custom: client.CustomObjectsApi, namespace: str, tmp_path: Path
) -> None:
    cases = {f"case-{number}-end": case for number, case in enumerate(CASES["REFUSED"])}
    documents = [placed(case.document, namespace) for case in cases.values()]
    for name, document in zip(cases, documents, strict=True):
        if cases[name].field:  # otherwise the object's name is wrong
            document["metadata"]["name"] = name
    file = tmp_path / "refused.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    ran = subprocess.run(
        [kubectl, *way.split(), "--dry-run=server", "-f", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert ran.stdout == ""
    errors = ran.stderr.split("Error from server")
    for name, case in cases.items():
        line = "".join(line for line in errors if name in line) or ran.stderr
        typed = "typed patch" in line or "new object" in line  # these write paths in another way
        assert (case.field.split("[")[0] if typed else case.field) in line, line


def test_kubectl_accepts_the_example(
    kubectl: str, custom: client.CustomObjectsApi, namespace: str, tmp_path: Path
) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(
        (ROOT / "manifests/examples/resnet.yaml").read_text().replace("vision", namespace)
    )
    for _ in range(2):
        subprocess.run([kubectl, "apply", "-f", str(file)], check=True, capture_output=True)
    listed = subprocess.run(
        [kubectl, "get", "infadapter,infsvc,vprof", "-n", namespace],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "SLO-MS" in listed
    assert "0.78312" in listed
    subprocess.run([kubectl, "delete", "-f", str(file)], check=True, capture_output=True)


def full_status() -> InferenceServiceStatus:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    planned = PlannedPods(
        variant="resnet18", resources={"cpu": "4"}, pods=2, capacity_rps=40.5, served_rps=60.25
    )
    conditions = tuple(
        Condition(type=kind, status="True", reason="Tested", last_transition_time=noon)
        for kind in ConditionType
    )
    plan = PlanStatus(
        planned_at=noon,
        feasible=True,
        demand_rps=60.25,
        accuracy=0.69758,
        cost=8.0,
        objective=0.67758,
        reason="DemandRose",
        allocations=(planned,),
        summary=plan_summary([planned]),
        pods=2,
    )
    return InferenceServiceStatus(
        observed_generation=1, effective_price_per_core=0.0025, plan=plan, conditions=conditions
    )


def test_a_plan_is_read_back_from_the_status(
    kubectl: str, custom: client.CustomObjectsApi, namespace: str
) -> None:
    name = EXAMPLE["metadata"]["name"]
    at = (GROUP, VERSION, namespace, SERVICES, name)
    create(custom, placed(EXAMPLE, namespace))
    body = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "status": full_status().as_body(),
    }
    for _ in range(2):
        custom.patch_namespaced_custom_object_status(
            *at,
            body,
            field_manager=FIELD_MANAGER,
            field_validation="Strict",
            _content_type="application/apply-patch+yaml",
        )
    stored: Any = custom.get_namespaced_custom_object(*at)
    service = parse_service(stored)
    assert service.status == full_status()
    assert service.metadata.generation == 1
    row = subprocess.run(
        [kubectl, "get", "infsvc", name, "-n", namespace, "--no-headers"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for shown in ("True", "750", "resnet18 2x4", "0.69758", "8", "Tested"):
        assert shown in row
    custom.delete_namespaced_custom_object(*at)


def test_a_profile_s_file_keeps_where_it_comes_from(
    custom: client.CustomObjectsApi, namespace: str
) -> None:
    profile = placed(CASES["EXAMPLE"]["VariantProfile"], namespace)
    stored = create(custom, {**profile, "status": {"machine": "two cores"}}, dry_run="All")
    assert stored["status"] == {"machine": "two cores"}
