import re
from pathlib import Path

import pytest

from infadapter_operator.domain.service import Patience
from infadapter_operator.environment import InvalidSetting
from infadapter_operator.settings import CustomQueries, Settings, settings_from

ROOT = Path(__file__).parents[2]


def test_an_empty_environment_gives_the_defaults() -> None:
    assert settings_from({}) == Settings()


@pytest.mark.parametrize(
    ("api_server", "host"), [("10.96.0.1", "0.0.0.0"), ("fd00:10:96::1", "::"), ("", "0.0.0.0")]
)
def test_it_listens_in_the_family_of_its_cluster(api_server: str, host: str) -> None:
    """
    Kubelets probe a pod's first address. Regression: if it is IPv6, an operator on 0.0.0.0 was
    killed repeatedly: https://github.com/open-telemetry/opentelemetry-helm-charts/issues/2414,
    https://github.com/rook/rook/issues/7494
    """
    assert settings_from({"KUBERNETES_SERVICE_HOST": api_server}).listen_host == host


def test_an_empty_variable_is_an_absent_one() -> None:
    names = ("NAMESPACES", "XDS_PORT", "ROUTER_POD", "LOOK_SECONDS", "PROMETHEUS_URL")
    assert settings_from({f"INFADAPTER_{name}": "" for name in names}) == Settings()


def test_everything_can_be_set() -> None:
    settings = settings_from(
        {
            "INFADAPTER_PROMETHEUS_URL": "https://prometheus:9090/",
            "INFADAPTER_NAMESPACES": "vision, speech",
            "INFADAPTER_LOOK_SECONDS": "0.5",
            "INFADAPTER_ROUTER_COMMAND": "/opt/envoy --x",
            "INFADAPTER_ROUTER_POD": '{"volumes": []}',
        }
    )
    assert settings.prometheus_url == "https://prometheus:9090"
    assert settings.namespaces == ("vision", "speech")
    assert settings.cycle_s == 0.5
    assert settings.router.command == ("/opt/envoy", "--x")
    assert settings.router.pod == {"volumes": []}


def test_a_command_whose_words_hold_spaces_is_a_json_list() -> None:
    command = '["sh", "-c", "exec envoy $0"]'
    settings = settings_from({"INFADAPTER_ROUTER_COMMAND": command})
    assert settings.router.command == ("sh", "-c", "exec envoy $0")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROUTER_COMMAND", "[sh]"),
        ("ROUTER_COMMAND", "[]"),
        ("PROMETHEUS_URL", "prometheus:9090"),
        ("PROMETHEUS_URL", "http://[::1"),
        ("PROMETHEUS_URL", "http://:9090"),
        ("PROMETHEUS_URL", "https://me:secret@prometheus:99999"),
        ("PROMETHEUS_URL", "http://prometheus:99999"),
        ("PROMETHEUS_URL", "http://prometheus:port"),
        ("XDS_HOST", "http://infadapter.serving.svc"),
        ("XDS_HOST", "infadapter:18000"),
        ("XDS_HOST", "infa dapter"),
        ("XDS_HOST", "[::1]"),
        ("XDS_PORT", "http"),
        ("XDS_PORT", "70000"),
        ("LOOK_SECONDS", "0"),
        ("LOOK_SECONDS", "nan"),
        ("LOOK_SECONDS", "30"),
        ("START_PATIENCE_SECONDS", "0"),
        ("READY_PATIENCE_SECONDS", "soon"),
        ("READY_PATIENCE_LOADS", "0.5"),
        ("RESIZE_PATIENCE_SECONDS", "-1"),
        ("RETRY_FIRST_SECONDS", "inf"),
        ("RETRY_MOST_SECONDS", "100000"),
        ("CUSTOM_QUERIES", "perhaps"),
        ("CUSTOM_QUERIES", "namespaced"),
        ("NAMESPACED_URL", "proxy:8080"),
        ("PROMETHEUS_KEY_FILE", "tls.key"),
        ("ROUTER_CPU", "lots"),
        ("ROUTER_CPU", "0"),
        ("ROUTER_CPU", "-1"),
        ("ROUTER_POD", "[]"),
        ("ROUTER_CONTAINER", "{"),
    ],
)
def test_a_bad_value_is_refused_with_its_name(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=f"INFADAPTER_{name} is '.*'; it must") as caught:
        settings_from({f"INFADAPTER_{name}": value})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["infadapter.serving.svc", "10.0.0.7", "fd00:10:96::1"])
def test_where_routers_look_for_the_operator_is_a_name_or_an_address(host: str) -> None:
    assert settings_from({"INFADAPTER_XDS_HOST": host}).xds_host == host


def test_a_variable_that_is_no_setting_is_said_with_the_one_that_was_meant() -> None:
    links = {"INFADAPTER_SERVICE_HOST": "10.0.0.1", "INFADAPTER_PORT": "tcp://10.0.0.1:18000"}
    given = {"INFADAPTER_PROMETHEUS_ULR": "http://p:9090", "INFADAPTER_NAMESPACES": "vision"}
    (sentence,) = settings_from(given | links).ignored
    assert "INFADAPTER_PROMETHEUS_ULR is read by nobody" in sentence
    assert "did you mean INFADAPTER_PROMETHEUS_URL?" in sentence


def test_every_setting_of_the_chart_and_of_the_manifests_is_read() -> None:
    for template in ("helm/infadapter/templates/deployment.yaml", "manifests/operator.yaml"):
        names = re.findall(r"name: (INFADAPTER_\w+)", (ROOT / template).read_text())
        assert len(names) > 5
        assert settings_from(dict.fromkeys(names, "")).ignored == ()


def test_patience_can_be_set() -> None:
    settings = settings_from(
        {
            "INFADAPTER_START_PATIENCE_SECONDS": "90",
            "INFADAPTER_READY_PATIENCE_SECONDS": "120",
            "INFADAPTER_READY_PATIENCE_LOADS": "2.5",
            "INFADAPTER_RESIZE_PATIENCE_SECONDS": "20",
            "INFADAPTER_RETRY_FIRST_SECONDS": "15",
            "INFADAPTER_RETRY_MOST_SECONDS": "300",
        }
    )
    assert settings.patience == Patience(
        start_s=90,
        ready_s=120,
        ready_loads=2.5,
        resize_s=20,
        retry_first_s=15,
        retry_most_s=300,
    )


def test_a_retry_is_not_to_come_later_than_the_latest_one() -> None:
    with pytest.raises(InvalidSetting, match=r"RETRY_MOST_SECONDS is 600; .* no less than .*700"):
        settings_from({"INFADAPTER_RETRY_FIRST_SECONDS": "700"})


@pytest.mark.parametrize(
    "headers",
    [
        '{"X Y": "1"}',
        '{"X": "a\\nsecret"}',
        '{"X": ""}',
        '{"X": 1}',
        '{"X": "secret", "": "1"}',
        "X-Scope-OrgID: secret",
        '["secret"]',
    ],
)
def test_headers_that_could_not_be_sent_are_refused_without_their_values(headers: str) -> None:
    with pytest.raises(InvalidSetting, match=r"PROMETHEUS_HEADERS names .*; it must be") as refused:
        settings_from({"INFADAPTER_PROMETHEUS_HEADERS": headers})
    assert "secret" not in str(refused.value)


def test_a_password_in_the_address_is_as_good_as_a_token() -> None:
    environment = {"INFADAPTER_PROMETHEUS_URL": "https://me:secret@prometheus"}
    assert settings_from(environment).custom_queries is CustomQueries.FORBID


@pytest.mark.parametrize(
    ("namespaces", "becomes"),
    [("", CustomQueries.FORBID), ("a,b", CustomQueries.FORBID), ("a", CustomQueries.ALLOW)],
)
def test_with_credentials_queries_of_several_namespaces_are_forbidden(
    namespaces: str, becomes: CustomQueries
) -> None:
    environment = {"INFADAPTER_PROMETHEUS_TOKEN_FILE": "t", "INFADAPTER_NAMESPACES": namespaces}
    assert settings_from(environment).custom_queries is becomes
    allowed = {**environment, "INFADAPTER_CUSTOM_QUERIES": "allow"}
    assert settings_from(allowed).custom_queries is CustomQueries.ALLOW
    assert settings_from({}).custom_queries is CustomQueries.ALLOW
