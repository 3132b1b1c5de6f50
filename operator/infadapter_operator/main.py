"""
The kopf entry point: register the handlers, pass events on, and keep one loop per service.

kopf only watches. It writes no annotations, finalizers or Events, and the loops run in tasks of
their own instead of kopf timers.
"""

import asyncio
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import kopf
from prometheus_client import REGISTRY, Counter, disable_created_metrics

from infadapter_operator.domain.names import GROUP, PROFILES, SERVICES, VERSION
from infadapter_operator.environment import InvalidSetting
from infadapter_operator.envoy.xds import XdsServer
from infadapter_operator.health import Health
from infadapter_operator.kube import client
from infadapter_operator.kube.access import is_gone, wait_for_access
from infadapter_operator.kube.client import KubeApi
from infadapter_operator.kube.context import Context
from infadapter_operator.kube.other_autoscalers import OtherAutoscalers
from infadapter_operator.kube.supervisor import Loops
from infadapter_operator.prometheus.connection import Prometheus
from infadapter_operator.prometheus.connection import connect as connect_prometheus
from infadapter_operator.reporting.metrics import Metrics
from infadapter_operator.settings import Settings, settings_from
from infadapter_operator.watching import CONTINUOUS_WATCH, LastingWatch, watch_by


def register(registry: kopf.OperatorRegistry, settings: Settings) -> LastingWatch:
    """Register all handlers and return the watch; all state lives in one Context."""
    app = _App(settings)
    kopf.on.login(registry=registry)(kopf.login_via_client)
    kopf.on.startup(registry=registry)(app.start)
    kopf.on.cleanup(registry=registry)(app.stop)
    kopf.index(GROUP, VERSION, PROFILES, registry=registry)(app.know_profile)
    kopf.on.event(GROUP, VERSION, SERVICES, registry=registry)(app.on_service)
    kopf.on.event(GROUP, VERSION, PROFILES, registry=registry)(app.on_profile)
    return LastingWatch(CONTINUOUS_WATCH, partial(is_gone, app.api))


class _App:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.api = _connect(settings)
        self._context: Context
        self._loops: Loops
        self._health: Health

    async def start(self, settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.peering.standalone = True
        settings.posting.enabled = False
        settings.scanning.disabled = (
            True  # a CRD that is deleted and created again only affects its watch
        )
        settings.networking.request_timeout = 30
        waiting = ThreadPoolExecutor(2 * client.CONNECTIONS)  # threads that wait and use no CPU
        asyncio.get_running_loop().set_default_executor(waiting)
        self._context = _context(self._settings, self.api)
        self._loops = Loops(self._context)
        self._health = Health(self._loops.stalled)
        await self._listen()
        await wait_for_access(self.api, self._settings.namespaces)

    async def _listen(self) -> None:
        try:
            host = self._settings.listen_host
            await self._context.xds.start(host, self._settings.xds_port)
            await self._health.start(host, self._settings.metrics_port)
        except OSError as error:
            await self._context.xds.stop()
            raise kopf.PermanentError(
                f"{error.strerror}: set INFADAPTER_XDS_PORT ({self._settings.xds_port}) and"
                f" INFADAPTER_METRICS_PORT ({self._settings.metrics_port}) to ports that are free."
            ) from None

    async def stop(self, **_: Any) -> None:
        await self._loops.stop()
        await self._context.xds.stop()
        await self._health.stop()

    async def know_profile(self, body: kopf.Body, **_: Any) -> None:
        """
        Index a profile. kopf handles no event before all objects are indexed, so no service misses
        a profile.
        """
        self._loops.know_profile(dict(body))

    async def on_service(self, event: kopf.RawEvent, **_: Any) -> None:
        self._loops.on_service(event["type"] == "DELETED", dict(event["object"]))

    async def on_profile(self, event: kopf.RawEvent, **_: Any) -> None:
        self._loops.on_profile(event["type"] == "DELETED", dict(event["object"]))


def _connect(settings: Settings) -> KubeApi:
    requests = Counter(
        "infadapter_api_requests_total",
        "Requests to the API server.",
        ("verb", "code"),
        registry=REGISTRY,
    )
    return client.connect(
        settings.kubernetes_timeout_s, lambda verb, code: requests.labels(verb, code).inc()
    )


def _context(settings: Settings, api: KubeApi) -> Context:
    return Context(
        settings=settings,
        api=api,
        prometheus=_prometheus(settings, settings.prometheus_url),
        namespaced=_prometheus(settings, settings.namespaced_url)
        if settings.namespaced_url
        else None,
        xds=XdsServer(),
        other_autoscalers=OtherAutoscalers(api),
        metrics=Metrics(REGISTRY),
    )


def _prometheus(settings: Settings, url: str) -> Prometheus:
    return connect_prometheus(url, settings.prometheus_timeout_s, settings.credentials)


def run() -> int:
    """Run until stopped and return the exit status."""
    try:
        settings = settings_from(os.environ)
        for sentence in settings.ignored:
            print(f"infadapter: {sentence}", file=sys.stderr)
        registry = kopf.OperatorRegistry()
        watch = register(registry, settings)
    except (InvalidSetting, client.NoCluster) as invalid:
        print(f"infadapter: {invalid}", file=sys.stderr)
        return 2
    disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series per metric
    kopf.configure(verbose=False)
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)  # logs a line per event
    logging.getLogger("kopf._cogs.clients.watching").setLevel(logging.CRITICAL)  # likewise
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # logs a line per attempt
    try:
        _run_kopf(registry, settings, watch)
    except Exception as error:  # an exception class that kopf doesn't export
        if not isinstance(error.__cause__, kopf.PermanentError):
            raise
        return 1  # the message is in the log
    return 1 if watch.unknown.is_set() else 0


def _run_kopf(registry: kopf.OperatorRegistry, settings: Settings, watch: LastingWatch) -> None:
    watch_by(watch)
    kopf.run(
        registry=registry,
        standalone=True,
        identity="infadapter",  # type: ignore[arg-type]  # default: the user name, which an image may lack
        clusterwide=not settings.namespaces,
        namespaces=list(settings.namespaces),
        stop_flag=watch.unknown,
    )
