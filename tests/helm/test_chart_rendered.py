"""The chart as Helm renders it, with the sets of values that the end-to-end tests apply too."""

import json
import re
import runpy
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.names import VARIANT_LABEL, router_labels, target_labels
from infadapter_operator.domain.service import Patience
from infadapter_operator.environment import InvalidSetting
from infadapter_operator.settings import CustomQueries, settings_from
from infadapter_solver.problem import Target

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/infadapter"
VALUES = sorted((ROOT / "tests/helm/values").glob("*.yaml"))
DASHBOARD = runpy.run_path(str(ROOT / "helm/dashboard.py"))
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the schemas in each rendering are long
Objects = list[dict[str, Any]]

helm_needed = pytest.mark.skipif(shutil.which("helm") is None, reason="no helm on the PATH")
promtool_needed = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool on the PATH"
)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)


@cache
def rendered(values: str = "default", release: str = "infadapter", *options: str) -> Objects:
    file = ROOT / f"tests/helm/values/{values}.yaml"
    ran = helm("template", release, str(CHART), "-n", "serving", "-f", str(file), *options)
    assert ran.returncode == 0, ran.stderr
    return [document for document in yaml.load_all(ran.stdout, LOADER) if document]


def of_kind(objects: Objects, kind: str) -> Objects:
    return [document for document in objects if document["kind"] == kind]


def pod_monitor(objects: Objects, of: str) -> dict[str, Any]:
    [found] = [
        monitor
        for monitor in of_kind(objects, "PodMonitor")
        if monitor["metadata"]["name"].endswith(f"-{of}")
    ]
    return found


def environment(objects: Objects) -> dict[str, str]:
    [deployment] = of_kind(objects, "Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in container["env"]}


@helm_needed
@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_lint_finds_nothing(values: Path) -> None:
    ran = helm("lint", "--strict", str(CHART), "-f", str(values))
    assert ran.returncode == 0, ran.stdout


@helm_needed
@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_no_name_is_used_twice(values: Path) -> None:
    objects = rendered(values.stem)
    names = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects]
    assert len(names) == len(set(names))


@helm_needed
@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_operator_accepts_the_environment_that_it_is_given(values: Path) -> None:
    settings = settings_from(environment(rendered(values.stem)))
    assert settings.xds_host.endswith(".serving.svc")


@helm_needed
def test_what_values_say_arrives_in_the_settings() -> None:
    settings = settings_from(environment(rendered("everything")))
    assert settings.prometheus_url == "http://prometheus.monitoring:9090"
    assert (settings.scrape_s, settings.prometheus_timeout_s, settings.cycle_s) == (60, 3, 1)
    assert settings.kubernetes_timeout_s == 5
    assert settings.patience == Patience(
        start_s=61,
        ready_s=62,
        ready_loads=4.5,
        resize_s=11,
        retry_first_s=31,
        retry_most_s=601,
    )
    assert settings.namespaces == ()
    assert settings.router.image == "example/envoy:1"
    assert settings.router.pod["nodeSelector"] == {"disk": "fast"}
    assert settings.router.container["imagePullPolicy"] == "Never"
    assert settings_from(environment(rendered("namespaced"))).namespaces == (
        "default",
        "kube-public",
    )


@helm_needed
def test_who_asks_prometheus_is_in_the_settings_and_every_file_is_mounted() -> None:
    objects = rendered("credentials")
    [deployment] = of_kind(objects, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    settings = settings_from(environment(objects))
    credentials = settings.credentials
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    files = {
        credentials.token_file: "token",
        f"{credentials.headers_folder}/any": "any",
        credentials.ca_file: "service-ca.crt",
        credentials.certificate_file: "tls.crt",
        credentials.key_file: "tls.key",
    }
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for path, key in files.items():
        folder, _, name = path.rpartition("/")
        assert name == key
        assert mounts[folder]["name"] in volumes
        assert mounts[folder]["readOnly"] is True
        assert "subPath" not in mounts[folder]  # of which the kubelet renews nothing
    [source] = volumes["prometheus-token"]["projected"]["sources"]
    token = {"path": "token", "expirationSeconds": 1200, "audience": "thanos"}
    assert source == {"serviceAccountToken": token}
    assert volumes["prometheus-ca"] == {
        "name": "prometheus-ca",
        "configMap": {"name": "openshift-service-ca.crt"},
    }
    assert credentials.headers == {"X-Scope-OrgID": "vision|speech"}
    assert settings.custom_queries is CustomQueries.NAMESPACED
    assert settings.namespaced_url == "https://thanos-querier.openshift-monitoring.svc:9092"


@helm_needed
def test_a_token_and_an_authority_may_be_of_secrets() -> None:
    values = (
        "prometheus.tokenSecret.name=t,prometheus.tokenSecret.key=bearer,prometheus.ca.secret=c"
    )
    objects = rendered("default", "infadapter", "--set", values)
    credentials = settings_from(environment(objects)).credentials
    assert credentials.token_file.endswith("/token/bearer")
    assert credentials.ca_file.endswith("/ca/ca.crt")
    [deployment] = of_kind(objects, "Deployment")
    secrets = {
        volume["name"]: volume["secret"]["secretName"]
        for volume in deployment["spec"]["template"]["spec"]["volumes"]
        if "secret" in volume
    }
    assert secrets == {"prometheus-token": "t", "prometheus-ca": "c"}


@helm_needed
@pytest.mark.parametrize(
    ("values", "becomes"),
    [
        ("", "allow"),
        ("prometheus.tokenSecret.name=t", "forbid"),
        ("prometheus.headersSecret=h", "forbid"),
        ("prometheus.headers.X-Scope-OrgID=vision", "forbid"),
        ("prometheus.clientCertificateSecret=c", "forbid"),
        ("prometheus.ca.secret=c", "allow"),
        ("prometheus.tokenSecret.name=t,watchNamespaces={vision}", "allow"),
        ("prometheus.tokenSecret.name=t,watchNamespaces={vision,speech}", "forbid"),
        ("prometheus.tokenSecret.name=t,prometheus.customQueries=allow", "allow"),
        ("prometheus.customQueries=forbid", "forbid"),
        ("prometheus.tokenSecret.name=t,prometheus.namespacedUrl=http://proxy", "namespaced"),
    ],
)
def test_queries_of_several_tenants_are_forbidden_with_credentials_unless_told_otherwise(
    values: str, becomes: str
) -> None:
    objects = rendered("default", "infadapter", "--set", values)
    assert settings_from(environment(objects)).custom_queries == becomes


@helm_needed
@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            "prometheus.tokenSecret.name=t,prometheus.serviceAccountToken.enabled=true",
            "it must be one of them",
        ),
        ("prometheus.ca.secret=c,prometheus.ca.configMap=m", "it must be one of them"),
        ("prometheus.customQueries=namespaced", "together with prometheus.namespacedUrl"),
        (
            "prometheus.customQueries=forbid,prometheus.namespacedUrl=http://proxy",
            "together with prometheus.namespacedUrl",
        ),
        ("prometheus.customQueries=perhaps", "customQueries"),
        ("prometheus.serviceAccountToken.expirationSeconds=60", "expirationSeconds"),
    ],
)
def test_credentials_that_contradict_each_other_are_refused_with_a_sentence(
    values: str, said: str
) -> None:
    ran = helm("template", "x", str(CHART), "--set", values)
    assert ran.returncode != 0
    assert said in ran.stderr


@helm_needed
@pytest.mark.parametrize("words", [["envoy"], ["sh", "-c", 'exec envoy "$@"', "--"]])
def test_the_routers_command_keeps_its_words_apart(words: list[str]) -> None:
    objects = rendered("default", "infadapter", "--set-json", f"router.command={json.dumps(words)}")
    assert json.loads(environment(objects)["INFADAPTER_ROUTER_COMMAND"]) == words


@helm_needed
def test_routers_run_the_operators_image_unless_told_otherwise() -> None:
    [deployment] = of_kind(rendered(), "Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert environment(rendered())["INFADAPTER_ROUTER_IMAGE"] == container["image"]


@helm_needed
def test_within_namespaces_nothing_is_allowed_beyond_them() -> None:
    objects = rendered("namespaced")
    assert of_kind(objects, "ClusterRole") == []
    assert of_kind(objects, "ClusterRoleBinding") == []
    assert [r["metadata"]["namespace"] for r in of_kind(objects, "Role")] == [
        "default",
        "kube-public",
    ]
    for binding in of_kind(objects, "RoleBinding"):
        assert binding["subjects"][0]["namespace"] == "serving"


@helm_needed
def test_the_cluster_role_is_that_of_the_manifests() -> None:
    manifest = next(yaml.safe_load_all((ROOT / "manifests/rbac.yaml").read_text()))
    [role] = [r for r in of_kind(rendered(), "ClusterRole") if "aggregate" not in str(r)]
    assert role["rules"] == manifest["rules"]


@helm_needed
def test_crds_are_upgraded_and_outlive_the_release_unless_told_otherwise() -> None:
    kept = of_kind(rendered(), "CustomResourceDefinition")
    assert len(kept) == 2
    for crd in kept:
        assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        name = crd["spec"]["names"]["plural"]
        source = yaml.safe_load((ROOT / f"manifests/crds/{name}.yaml").read_text())
        assert crd["spec"] == source["spec"]
    for crd in of_kind(rendered("bare"), "CustomResourceDefinition"):
        assert "annotations" not in crd["metadata"]
    assert of_kind(rendered("namespaced"), "CustomResourceDefinition") == []


@helm_needed
def test_two_releases_do_not_meet() -> None:
    def names(release: str) -> set[tuple[str, str]]:
        objects = rendered("everything", release, "--set", "crds.install=false")
        return {(o["kind"], o["metadata"]["name"]) for o in objects}

    assert not names("one") & names("two")


@helm_needed
def test_the_routers_that_are_scraped_are_those_that_the_operator_makes() -> None:
    monitor = pod_monitor(rendered("everything"), "routers")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= router_labels("any").items()
    [policy] = of_kind(rendered("everything"), "NetworkPolicy")
    [router, anybody] = policy["spec"]["ingress"]
    assert router["from"][0]["podSelector"]["matchLabels"] == wanted
    assert anybody == {"ports": [{"port": "metrics"}]}


@helm_needed
def test_the_servers_that_are_scraped_are_those_that_bear_a_variant() -> None:
    monitor = pod_monitor(rendered("everything"), "servers")
    [wanted] = monitor["spec"]["selector"]["matchExpressions"]
    assert wanted == {"key": VARIANT_LABEL, "operator": "Exists"}
    assert VARIANT_LABEL in target_labels("any", Target("small"))
    assert VARIANT_LABEL not in router_labels("any")  # whose requests would count twice


@helm_needed
def test_both_monitors_are_found_and_look_where_the_operator_does() -> None:
    for values, looks in (
        ("everything", {"any": True}),
        ("namespaced", {"matchNames": ["default", "kube-public"]}),
    ):
        monitors = of_kind(rendered(values), "PodMonitor")
        assert len(monitors) == 2
        assert [monitor["spec"]["namespaceSelector"] for monitor in monitors] == [looks, looks]
    for monitor in of_kind(rendered("everything"), "PodMonitor"):
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("1m", "1m")


@helm_needed
@promtool_needed
def test_of_a_server_the_annotated_port_is_scraped_once(tmp_path: Path) -> None:
    """As Prometheus itself picks: it finds a pod once for every port that the pod declares."""
    kept = picked(
        tmp_path,
        {
            "1.1.1.1:8080": {"scrape": "true", "port": "8080"},
            "1.1.1.1:9000": {"scrape": "true", "port": "8080"},
            "2.2.2.2:9000": {"scrape": "true", "port": "9000", "path": "/stats"},
            "3.3.3.3:8080": {"scrape": "false", "port": "8080"},
            "4.4.4.4:8080": {"scrape": "true"},
            "5.5.5.5:8080": {},
        },
    )
    assert kept == {"1.1.1.1:8080": "/metrics", "2.2.2.2:9000": "/stats"}


def picked(folder: Path, pods: dict[str, dict[str, str]]) -> dict[str, str]:
    """Of pods by address and port, with these annotations: what is scraped, on which path."""
    monitor = pod_monitor(rendered("everything"), "servers")
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    snake = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    rules = [{snake.get(k, k): v for k, v in rule.items()} for rule in endpoint["relabelings"]]
    meta = "__meta_kubernetes_pod"
    found = [
        {
            "targets": [address],
            "labels": {f"{meta}_annotation_prometheus_io_{k}": v for k, v in notes.items()}
            | {f"{meta}_container_port_number": address.partition(":")[2]},
        }
        for address, notes in pods.items()
    ]
    job = {
        "job_name": "servers",
        "metrics_path": endpoint["path"],
        "file_sd_configs": [{"files": ["found.json"]}],
        "relabel_configs": rules,
    }
    (folder / "found.json").write_text(json.dumps(found))
    (folder / "prometheus.yaml").write_text(yaml.safe_dump({"scrape_configs": [job]}))
    said = promtool(
        folder, "check", "service-discovery", "--timeout=3s", "prometheus.yaml", "servers"
    )
    labels = [target["labels"] for target in json.loads(said) if target.get("labels")]
    return {each["instance"]: each["__metrics_path__"] for each in labels}


@helm_needed
@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ("metrics.podMonitor.enabled=true", 1),
        ("metrics.podMonitor.enabled=true,metrics.podMonitor.interval=15s", 15),
        ("metrics.podMonitor.enabled=true,metrics.podMonitor.interval=2m", 120),
        ("metrics.podMonitor.enabled=true,prometheus.scrapeSeconds=30", 1),
        ("metrics.podMonitor.interval=15s", 1),
        ("prometheus.scrapeSeconds=30", 30),
    ],
)
def test_the_operator_is_told_how_often_the_routers_are_scraped(
    values: str, seconds: float
) -> None:
    objects = rendered("default", "infadapter", "--set", values)
    assert settings_from(environment(objects)).scrape_s == seconds


@helm_needed
@pytest.mark.parametrize("interval", ["500ms", "0s", "6m", "301s"])
def test_an_interval_that_the_operator_would_not_take_is_refused_with_a_sentence(
    interval: str,
) -> None:
    values = f"metrics.podMonitor.enabled=true,metrics.podMonitor.interval={interval}"
    ran = helm("template", "x", str(CHART), "--set", values)
    assert ran.returncode != 0
    assert f"metrics.podMonitor.interval is {interval}; it must be" in ran.stderr


@helm_needed
def test_only_routers_reach_xds_unless_told_otherwise() -> None:
    [policy] = of_kind(rendered(), "NetworkPolicy")
    [deployment] = of_kind(rendered(), "Deployment")
    selected = policy["spec"]["podSelector"]["matchLabels"]
    assert selected.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    manifest = [
        each
        for each in yaml.safe_load_all((ROOT / "manifests/operator.yaml").read_text())
        if each["kind"] == "NetworkPolicy"
    ]
    assert len(manifest) == 1
    for rules in (policy["spec"]["ingress"], manifest[0]["spec"]["ingress"]):
        doors = {rule["ports"][0]["port"]: rule.get("from") for rule in rules}
        assert doors["metrics"] is None
        [peer] = doors["xds"]
        assert peer["namespaceSelector"] == {}
        assert peer["podSelector"]["matchLabels"].items() <= router_labels("any").items()
    off = rendered("default", "infadapter", "--set", "networkPolicy.enabled=false")
    assert of_kind(off, "NetworkPolicy") == []


@helm_needed
def test_the_operator_runs_without_privileges() -> None:
    [deployment] = of_kind(rendered(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}


@helm_needed
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ("imagee.tag=1", "imagee"),
        ("image.repository=", "repository"),
        ("look.seconds=9", "seconds"),
        ("prometheus.url=prometheus:9090", "url"),
        ("watchNamespaces={Not_A_Name}", "watchNamespaces"),
        ("watchNamespaces={vision,speech,vision}", "watchNamespaces"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("metrics.podMonitor.interval=soon", "interval"),
        ("router.cpu=0", "/router/cpu"),
        ("router.cpu=-1", "/router/cpu"),
        ("router.cpu=0.0m", "/router/cpu"),
        ("router.cpu=much", "/router/cpu"),
        ("router.cpu=1Gi", "/router/cpu"),
        ("router.cpu=9999999999999m", "/router/cpu"),
        ("router.cpu=9999999999999", "/router/cpu"),
        ("prometheus.headers.X Y=vision", "propertyName 'X Y'"),
        ("prometheus.headers.X=é", "/prometheus/headers/X"),
        ("patience.retryMostSeconds=29", "no less than patience.retryFirstSeconds, 30"),
    ],
)
def test_a_wrong_value_is_refused_and_named(wrong: str, field: str) -> None:
    ran = helm("template", "x", str(CHART), "--set", wrong)
    assert ran.returncode != 0
    assert field in ran.stderr


ADDRESSES = [
    "http://[::1",
    "http://[nowhere]:9090",
    "http://:9090",
    "http://",
    "http://prometheus:99999",
    "http://prometheus:0",
    "http://prometheus:port",
    "https://me:secret@prometheus:99999/a@b",
]


@helm_needed
@pytest.mark.parametrize("url", ADDRESSES)
@pytest.mark.parametrize("name", ["prometheus.url", "prometheus.namespacedUrl"])
def test_an_address_that_the_operator_would_refuse_is_refused_with_its_sentence(
    name: str, url: str
) -> None:
    """It was installed, and the operator ended at once, over and over."""
    with pytest.raises(InvalidSetting) as refused:
        settings_from({"INFADAPTER_PROMETHEUS_URL": url})
    ran = helm("template", "x", str(CHART), "--set-literal", f"{name}={url}")
    assert ran.returncode != 0
    assert f"{name} is http" in ran.stderr
    assert str(refused.value).partition("; ")[2] in ran.stderr
    assert "secret" not in ran.stderr


@helm_needed
@pytest.mark.parametrize(
    "url",
    [
        "http://[2001:db8::7]:9090",
        "https://me:se@cret@prometheus.example.com/api/prom?x=1",
        "http://prometheus",
        "http://10.0.0.7:09090/",
    ],
)
def test_an_address_that_the_operator_takes_is_taken(url: str) -> None:
    objects = rendered("default", "infadapter", "--set-literal", f"prometheus.url={url}")
    assert settings_from(environment(objects)).prometheus_url == url.rstrip("/")


@helm_needed
def test_the_notes_of_an_installation_tell_no_password() -> None:
    url = "https://me:secret@prometheus:9090"
    options = ("--dry-run=client", "--set-literal", f"prometheus.url={url}")
    ran = helm("install", "x", str(CHART), *options)
    notes = ran.stdout.partition("NOTES:")[2]
    assert "reads demand from https://prometheus:9090." in notes, ran.stderr
    assert "secret" not in notes


SCHEMA = json.loads((CHART / "values.schema.json").read_text())["properties"]
ROUTER_CPU = SCHEMA["router"]["properties"]["cpu"]
HEADERS = SCHEMA["prometheus"]["properties"]["headers"]


def whole(pattern: str) -> str:
    """Python's $ stands before a last newline, too."""
    return pattern.removesuffix("$") + r"\Z"


@given(
    st.from_regex(whole(ROUTER_CPU["pattern"]))
    .filter(lambda text: len(text) <= ROUTER_CPU["maxLength"])
    .map(json.dumps)
    | st.floats(ROUTER_CPU["minimum"], ROUTER_CPU["maximum"]).map(str)
)
def test_the_operator_takes_whatever_cpu_of_routers_the_chart_takes(text: str) -> None:
    cpu = str(json.loads(text))
    assert settings_from({"INFADAPTER_ROUTER_CPU": cpu}).router.cpu == cpu


@given(
    st.dictionaries(
        st.from_regex(whole(HEADERS["propertyNames"]["pattern"])),
        st.from_regex(whole(HEADERS["additionalProperties"]["pattern"])),
    )
)
def test_the_operator_takes_whatever_headers_the_chart_takes(headers: dict[str, str]) -> None:
    given = {"INFADAPTER_PROMETHEUS_HEADERS": json.dumps(headers)}
    assert settings_from(given).credentials.headers == headers


@helm_needed
@pytest.mark.parametrize(("written", "told"), [("2", "2"), ("0.5", "0.5"), ("1500m", "1500m")])
def test_cpu_of_routers_may_be_a_number(written: str, told: str) -> None:
    objects = rendered("default", "infadapter", "--set", f"router.cpu={written}")
    assert settings_from(environment(objects)).router.cpu == told


@helm_needed
@pytest.mark.parametrize(
    ("number", "least", "below"),
    [
        ("look.seconds", 0.2, 0.19),
        ("prometheus.timeoutSeconds", 0.1, 0.09),
        ("prometheus.scrapeSeconds", 1, 0.99),
    ],
)
def test_a_number_below_the_operators_least_is_refused(
    number: str, least: float, below: float
) -> None:
    taken = helm("template", "x", str(CHART), "--set-json", f"{number}={least}")
    assert taken.returncode == 0, taken.stderr
    refused = helm("template", "x", str(CHART), "--set-json", f"{number}={below}")
    assert refused.returncode != 0
    assert f"minimum: got {below:g}, want {least:g}" in refused.stderr


@helm_needed
@promtool_needed
@pytest.mark.parametrize(
    "tests",
    [
        "rules_test.yaml",
        pytest.param("error_budget_rules_test.yaml", marks=pytest.mark.process),  # days of it
    ],
)
def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path, tests: str) -> None:
    [rule] = of_kind(rendered("everything"), "PrometheusRule")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    (tmp_path / tests).write_text((ROOT / "tests/helm" / tests).read_text())
    promtool(tmp_path, "check", "rules", "rules.yaml")
    promtool(tmp_path, "test", "rules", tests)


@helm_needed
@promtool_needed
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    [board] = of_kind(rendered("everything"), "ConfigMap")
    panels = json.loads(board["data"]["infadapter.json"])["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    filled = [re.sub(r"\$\w+", "5m", query) for query in queries]
    rules = [{"record": f"panel:query{n}", "expr": query} for n, query in enumerate(filled)]
    (tmp_path / "queries.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]})
    )
    promtool(tmp_path, "check", "rules", "queries.yaml")


@helm_needed
def test_the_configmap_holds_the_dashboard_where_grafanas_sidecar_looks() -> None:
    [board] = of_kind(rendered("everything"), "ConfigMap")
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(board["data"]["infadapter.json"]) == DASHBOARD["dashboard"]()


def promtool(folder: Path, *arguments: str) -> str:
    ran = subprocess.run(
        ["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
