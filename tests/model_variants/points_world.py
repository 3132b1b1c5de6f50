"""A server of models with operating points on a real socket, and its client."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from infadapter_scheduler import PointPolicy
from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.networks.models import open_stored
from infadapter_server.serving.assembly import many
from infadapter_server.serving.connections import ConnectionLimits, Connections
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.inference import Inference, Limits
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.serve import http_server, listen
from tests.model_variants.serving_world import until
from tests.patience import PATIENCE_S

Answer = dict[str, Any]


def write_model(folder: Path, name: str, config: str) -> Path:
    (folder / name / "1").mkdir(parents=True)
    (folder / name / "config.yaml").write_text(config)
    return folder / name / "1"


@dataclass(frozen=True)
class Served:
    client: httpx.AsyncClient
    inference: Inference

    async def ask(
        self, model: str, rows: int = 1, within_ms: float | None = None, **more: Any
    ) -> httpx.Response:
        signature = self.inference.models[model].signature
        shape = [rows, *signature.input_shape]
        tensor = {"name": signature.input_name, "datatype": "FP32", "shape": shape}
        size = rows
        for extent in signature.input_shape:
            size *= extent
        headers = dict(more.pop("headers", {}))
        if within_ms is not None:
            headers["infadapter-deadline-ms"] = f"{within_ms:g}"
        body = {"inputs": [{**tensor, "data": [0.5] * size}], **more}
        return await self.client.post(f"/v2/models/{model}/infer", json=body, headers=headers)

    async def allow(self, model: str, **content: Any) -> httpx.Response:
        return await self.client.post(f"/v2/repository/models/{model}/points", json=content)

    async def burst(self, model: str, many: int, within_ms: float) -> list[Answer]:
        """Send `many` requests at once; return the answers of those that were not refused."""
        asked = (self.ask(model, within_ms=within_ms) for _ in range(many))
        answers = await asyncio.gather(*asked)
        assert {answer.status_code for answer in answers} <= {200, 503}
        return [answer.json() for answer in answers if answer.status_code == 200]

    async def samples(self, name: str) -> dict[str, float]:
        """Return the samples of a metric by their label `point`, empty if they have none."""
        text = (await self.client.get("/metrics")).text
        return {
            found.labels.get("point", ""): found.value
            for family in text_string_to_metric_families(text)
            for found in family.samples
            if found.name == name
        }


def points_of(answers: list[Answer]) -> Counter[str]:
    return Counter(answer["parameters"]["point"] for answer in answers)


@asynccontextmanager
async def serving_points(
    folder: Path, policy: PointPolicy | None = None, memory: int | None = None
) -> AsyncIterator[Served]:
    served = many((), folder, memory)
    metrics = ServerMetrics(served.variant)
    executors = [ThreadExecutor("executor", open_stored)]
    inference = Inference(
        variant=served.variant,
        models=served.models,
        limits=Limits(),
        driver=Driver(served.repository, executors, metrics, policy=policy),
        metrics=metrics,
    )
    inference.start()
    connections = Connections(inference, ConnectionLimits(), metrics.connections.set)
    server, listener = http_server(inference, connections), listen("127.0.0.1", 0)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    try:
        plain = httpx.AsyncClient(
            base_url=base_url, timeout=PATIENCE_S, limits=limits, verify=False
        )
        async with plain as client:
            await until(lambda: inference.driver.ready and server.started)
            yield Served(client, inference)
    finally:
        server.should_exit = True
        await running
        await inference.stop(PATIENCE_S)
