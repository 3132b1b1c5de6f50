"""The operator's settings from environment variables, read once at the start."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from infadapter_operator.credentials import Credentials, is_header
from infadapter_operator.domain.error_budget import WINDOW_S
from infadapter_operator.domain.service import Patience
from infadapter_operator.environment import Environment, InvalidSetting
from infadapter_profiles.variables import PREFIX


class CustomQueries(StrEnum):
    """What happens to a service's `demand.query`, which reads with the operator's credentials."""

    ALLOW = "allow"
    FORBID = "forbid"
    NAMESPACED = "namespaced"  # sent to a proxy that enforces the service's namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSettings:
    """How router pods are run; everything else about them follows from the service."""

    image: str = f"infadapter/operator:{version('infadapter')}"
    command: tuple[str, ...] = ("envoy",)
    cpu: str = "250m"
    pod: Mapping[str, Any] = field(default_factory=dict)
    """Merged into the pod's spec: `volumes`, `imagePullSecrets`, `nodeSelector`, …"""
    container: Mapping[str, Any] = field(default_factory=dict)
    """Merged into the container: `imagePullPolicy`, `volumeMounts`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    All settings. Each field is read from the environment variable of its name in capitals behind
    `INFADAPTER_` (`router.image` from `INFADAPTER_ROUTER_IMAGE`).
    """

    prometheus_url: str = "http://prometheus-operated.monitoring:9090"
    prometheus_timeout_s: float = 5.0
    credentials: Credentials = field(default_factory=Credentials)
    """`INFADAPTER_PROMETHEUS_TOKEN_FILE` and so on: see `_credentials`."""
    custom_queries: CustomQueries = CustomQueries.ALLOW
    """By default forbidden with credentials and several namespaces: see `_custom_queries`."""
    namespaced_url: str = ""
    """A proxy that enforces a namespace in queries, such as prom-label-proxy."""
    scrape_s: float = 5.0
    """How often Prometheus scrapes the routers. Data is stale after three missed scrapes."""
    namespaces: tuple[str, ...] = ()
    """Empty: the whole cluster."""
    xds_host: str = "infadapter.infadapter-system.svc"
    """Host name under which routers reach the operator."""
    xds_port: int = 18000
    listen_host: str = "0.0.0.0"
    """All addresses of the cluster's IP family: see `_listen_host`."""
    metrics_port: int = 8080
    cycle_s: float = 1.0
    error_budget_window_s: float = WINDOW_S
    """`INFADAPTER_ERROR_BUDGET_WINDOW_SECONDS`; minutes in a test, an hour elsewhere."""
    kubernetes_timeout_s: float = 10.0
    router: RouterSettings = field(default_factory=RouterSettings)
    patience: Patience = field(default_factory=Patience)
    """`INFADAPTER_START_PATIENCE_SECONDS` and so on: see `_patience`."""
    ignored: tuple[str, ...] = ()
    """One sentence for each unknown variable."""


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Return the settings. Raises InvalidSetting."""
    read = Environment(environment)
    defaults, router = Settings(), RouterSettings()
    credentials = _credentials(read)
    prometheus_url = read.url("PROMETHEUS_URL", defaults.prometheus_url)
    is_known = credentials.identify or urlsplit(prometheus_url).username is not None
    namespaces = read.words("NAMESPACES", defaults.namespaces)
    settings = Settings(
        prometheus_url=prometheus_url,
        prometheus_timeout_s=read.seconds("PROMETHEUS_TIMEOUT_SECONDS", 0.1, 60, 5),
        scrape_s=read.seconds("SCRAPE_SECONDS", 1, 300, defaults.scrape_s),
        namespaces=namespaces,
        credentials=credentials,
        custom_queries=_custom_queries(read, is_known, namespaces),
        namespaced_url=read.url("NAMESPACED_URL", "") if read.text("NAMESPACED_URL", "") else "",
        xds_host=read.host("XDS_HOST", defaults.xds_host),
        xds_port=read.port("XDS_PORT", defaults.xds_port),
        listen_host=_listen_host(environment),
        metrics_port=read.port("METRICS_PORT", defaults.metrics_port),
        cycle_s=read.seconds("LOOK_SECONDS", 0.2, 5, defaults.cycle_s),
        error_budget_window_s=read.seconds(
            "ERROR_BUDGET_WINDOW_SECONDS", 60, 86400, defaults.error_budget_window_s
        ),
        kubernetes_timeout_s=read.seconds("KUBERNETES_TIMEOUT_SECONDS", 1, 60, 10),
        router=RouterSettings(
            image=read.text("ROUTER_IMAGE", router.image),
            command=read.command("ROUTER_COMMAND", router.command),
            cpu=read.cpu("ROUTER_CPU", router.cpu),
            pod=read.mapping("ROUTER_POD"),
            container=read.mapping("ROUTER_CONTAINER"),
        ),
        patience=_patience(read),
    )
    return replace(settings, ignored=read.ignored())


def _listen_host(environment: Mapping[str, str]) -> str:
    """
    Return the wildcard address of the family in which the pod is told the API server's address.
    Kubelets, Prometheus and Services use that family. Listening on "::" fails where there is no
    IPv6.
    """
    return "::" if ":" in environment.get("KUBERNETES_SERVICE_HOST", "") else "0.0.0.0"


def _credentials(read: Environment) -> Credentials:
    """
    Return the credentials. `REQUESTS_CA_BUNDLE` applies if no other bundle is named. Raises
    InvalidSetting.
    """
    credentials = Credentials(
        token_file=read.text("PROMETHEUS_TOKEN_FILE", ""),
        headers=_headers(read),
        headers_folder=read.text("PROMETHEUS_HEADERS_FOLDER", ""),
        ca_file=read.text("PROMETHEUS_CA_FILE", read.variables.get("REQUESTS_CA_BUNDLE", "")),
        certificate_file=read.text("PROMETHEUS_CERTIFICATE_FILE", ""),
        key_file=read.text("PROMETHEUS_KEY_FILE", ""),
    )
    if credentials.key_file and not credentials.certificate_file:
        raise InvalidSetting(
            f"{PREFIX}PROMETHEUS_KEY_FILE is {credentials.key_file!r};"
            f" it must come with {PREFIX}PROMETHEUS_CERTIFICATE_FILE"
        )
    return credentials


def _headers(read: Environment) -> Mapping[str, str]:
    """What they hold may be secret, and is in no sentence. Raises InvalidSetting."""
    try:
        headers = read.mapping("PROMETHEUS_HEADERS")
    except InvalidSetting:
        headers = {"": ""}
    if not all(
        isinstance(value, str) and is_header(name, value) for name, value in headers.items()
    ):
        raise InvalidSetting(
            f"{PREFIX}PROMETHEUS_HEADERS names {', '.join(headers) or 'nothing'};"
            " it must be a JSON object of headers with their values"
        )
    return headers


def _custom_queries(
    read: Environment, is_known: bool, namespaces: tuple[str, ...]
) -> CustomQueries:
    """
    Whoever may write a service in one namespace is not to read the metrics of the others as whom
    Prometheus knows the operator, unless somebody says so. Raises InvalidSetting.
    """
    url = read.text("NAMESPACED_URL", "")
    several = is_known and len(namespaces) != 1
    usual = CustomQueries.FORBID if several else CustomQueries.ALLOW
    text = read.text("CUSTOM_QUERIES", CustomQueries.NAMESPACED if url else usual)
    if text not in set(CustomQueries):
        raise InvalidSetting(
            f"{PREFIX}CUSTOM_QUERIES is {text!r}; it must be {', '.join(CustomQueries)}"
        )
    if (text == CustomQueries.NAMESPACED) != bool(url):
        raise InvalidSetting(
            f"{PREFIX}CUSTOM_QUERIES is {text!r}; it must be namespaced, together with"
            f" {PREFIX}NAMESPACED_URL, or neither"
        )
    return CustomQueries(text)


def _patience(read: Environment) -> Patience:
    """Raises InvalidSetting."""
    usual = Patience()
    patience = Patience(
        start_s=read.seconds("START_PATIENCE_SECONDS", 1, 3600, usual.start_s),
        ready_s=read.seconds("READY_PATIENCE_SECONDS", 1, 3600, usual.ready_s),
        ready_loads=read.number("READY_PATIENCE_LOADS", 1, 100, usual.ready_loads),
        resize_s=read.seconds("RESIZE_PATIENCE_SECONDS", 1, 3600, usual.resize_s),
        retry_first_s=read.seconds("RETRY_FIRST_SECONDS", 1, 3600, usual.retry_first_s),
        retry_most_s=read.seconds("RETRY_MOST_SECONDS", 1, 86400, usual.retry_most_s),
    )
    if patience.retry_most_s < patience.retry_first_s:
        raise InvalidSetting(
            f"{PREFIX}RETRY_MOST_SECONDS is {patience.retry_most_s:g};"
            f" it must be no less than {PREFIX}RETRY_FIRST_SECONDS, {patience.retry_first_s:g}"
        )
    return patience
