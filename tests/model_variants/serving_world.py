"""A server in this process, around a model whose computing time the test controls."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import httpx
from prometheus_client.parser import text_string_to_metric_families

from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.networks.signatures import Floats, Signature
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.app import create_app
from infadapter_server.serving.assembly import always
from infadapter_server.serving.deadlines import Deadlines
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.inference import Identity, Inference, Limits
from infadapter_server.serving.metrics import ServerMetrics
from tests.patience import PATIENCE_S

IDENTITY = Identity(
    variant="tiny", model="sums", signature=Signature(input_shape=(2,), output_shape=(1,))
)
STORED = Stored(
    name="sums",
    version="tiny",
    format=Format.VARIANT,
    signature=IDENTITY.signature,
    batch_sizes=(1, 2, 4, 8),
)
INFER = "/v2/models/sums/infer"


def question(*rows: tuple[float, float], **fields: Any) -> dict[str, Any]:
    data = [value for row in rows or ((1, 2),) for value in row]
    shape = [len(data) // 2, 2]
    return {
        "inputs": [{"name": "image", "shape": shape, "datatype": "FP32", "data": data}],
        **fields,
    }


QUESTION = question()


class Summing:
    """A model that returns the sum of each row once it may compute; raises on negative values."""

    weights_bytes = 0

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.batches: list[int] = []
        self.threads: list[int] = []
        self.may_compute = threading.Event()
        self.may_compute.set()
        self.computing = threading.Event()
        self.broken = False

    def __call__(self, batch: Floats) -> Floats:
        self.batches.append(len(batch))
        self.computing.set()
        assert self.may_compute.wait(PATIENCE_S)
        time.sleep(self.takes_s)
        if self.broken or (batch < 0).any():
            raise RuntimeError("a secret of the network")
        sums: Floats = batch.sum(axis=1, keepdims=True)
        return sums

    def use_threads(self, threads: int) -> None:
        self.threads.append(threads)

    def hold(self) -> None:
        self.may_compute.clear()
        self.computing.clear()

    async def holds(self) -> None:
        """Wait until a batch has begun and is held."""
        assert await asyncio.to_thread(self.computing.wait, PATIENCE_S)


@dataclass(frozen=True)
class Running:
    client: httpx.AsyncClient
    inference: Inference
    model: Summing

    @property
    def driver(self) -> Driver:
        return self.inference.driver

    async def metric(self, name: str, **labels: str) -> float:
        """Return one sample of /metrics. Raises KeyError if it is missing."""
        return sample((await self.client.get("/metrics")).text, name, **labels)

    async def outcome(self, kind: str) -> float:
        return await self.metric("infadapter_server_outcomes_total", outcome=kind)

    async def ask(self, *rows: tuple[float, float], **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(INFER, json=question(*rows), headers=named)


def sample(text: str, name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(text):
        for found in family.samples:
            if found.name == name and found.labels == {"variant": "tiny"} | labels:
                return found.value
    raise KeyError(name)


@contextmanager
def nothing_hangs() -> Iterator[None]:
    """Raise the time limits of executions, so that one that a test holds is not taken to hang."""
    lanes = "infadapter_server.serving.lanes"
    with patch.multiple(lanes, SUSPECT_S=PATIENCE_S, STUCK_S=PATIENCE_S):
        yield


def inference_of(model: Summing, *, identity: Identity = IDENTITY, **limits: Any) -> Inference:
    metrics = ServerMetrics("tiny")
    return Inference(
        variant="tiny",
        models={identity.model: identity},
        limits=Limits(**{"deadlines": Deadlines(longest_s=PATIENCE_S), **limits}),
        driver=Driver(always(STORED), [ThreadExecutor("executor", lambda _: model)], metrics),
        metrics=metrics,
    )


@asynccontextmanager
async def running(
    model: Summing | None = None, *, identity: Identity = IDENTITY, **limits: Any
) -> AsyncIterator[Running]:
    model = model or Summing()
    inference = inference_of(model, identity=identity, **limits)
    inference.start()
    transport = httpx.ASGITransport(create_app(inference), raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://server")
    with nothing_hangs():
        async with client:
            if model.may_compute.is_set():
                await until(lambda: inference.driver.ready)
            yield Running(client, inference, model)
            model.may_compute.set()
            assert await inference.stop(PATIENCE_S)


async def until(condition: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # another thread makes it true
            await asyncio.sleep(0.001)
