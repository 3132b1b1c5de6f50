"""The HTTP endpoints for the kubelet and Prometheus: `/healthz` and `/metrics`."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from infadapter_operator.listening import listen
from infadapter_profiles.wire import METRICS_PATH


class Health:
    """
    `stalled` names a loop that makes no progress. A blocked event loop answers nothing at all.
    """

    def __init__(self, stalled: Callable[[], str | None]) -> None:
        self._stalled = stalled
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port (`port` 0: any free port)."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get(METRICS_PATH, self._metrics)
        self._runner, bound = await listen(app, host, port)
        return bound

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.Response:
        stalled = self._stalled()
        if stalled:
            return web.Response(status=503, text=f"the loop of {stalled} is stalled\n")
        return web.Response(text="ok\n")

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
