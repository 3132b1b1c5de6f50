"""
What a user would write instead: python -m benchmarks.serving.rivals --port 8090 --variant glyph-3.

A plain FastAPI server around torch, as tutorials have it (a function in the thread pool), and the
same with ordinary dynamic batching (a queue, at most eight at once, the first waits at most 5 ms).
Neither refuses anybody. Tensors come and go by the protocol's JSON or bytes, with our own parser:
what is compared is who decides what runs, not who parses.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import click
import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from benchmarks.serving.networks import MADE, Network
from infadapter_server.networks.signatures import SIGNATURES, Floats, Model
from infadapter_server.serving import protocol

LARGEST_BATCH, LONGEST_WAIT_S = 8, 0.005
JSON_LENGTH = "inference-header-content-length"

Compute = Callable[[Floats], Awaitable[Floats]]


class Batcher:
    """Dynamic batching: a batch goes when it is full, or when its first has waited enough."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._queue: asyncio.Queue[tuple[Floats, asyncio.Future[Floats]]] = asyncio.Queue()

    async def __call__(self, batch: Floats) -> Floats:
        answer: asyncio.Future[Floats] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((batch, answer))
        return await answer

    async def run(self) -> None:
        while True:
            waiting = [await self._queue.get()]
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_WAIT_S):
                    while len(waiting) < LARGEST_BATCH:
                        waiting.append(await self._queue.get())
            rows = np.concatenate([batch for batch, _ in waiting])
            outputs = await run_in_threadpool(self._model, rows)
            for (_, answer), output in zip(waiting, outputs, strict=True):
                if not answer.done():
                    answer.set_result(output[None])


def app_of(network: Network, *, batching: bool) -> FastAPI:
    model = network.open()
    batcher = Batcher(model)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running = asyncio.create_task(batcher.run())
        yield
        running.cancel()

    async def alone(batch: Floats) -> Floats:
        return await run_in_threadpool(model, batch)

    app = FastAPI(lifespan=lifespan)
    compute: Compute = batcher if batching else alone

    @app.get("/v2/health/ready")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.post(f"/v2/models/{network.name}/infer")
    async def infer(request: Request) -> Response:
        return await _answer(request, network, compute)

    return app


async def _answer(request: Request, network: Network, compute: Compute) -> Response:
    signature = network.signature
    body = await request.body()
    question = protocol.parse(body, request.headers.get(JSON_LENGTH), signature, LARGEST_BATCH)
    result = await compute(question.batch)
    answer = protocol.encode(result, question, signature, model=network.name, version="1")
    headers = {} if answer.json_bytes is None else {JSON_LENGTH: str(answer.json_bytes)}
    return Response(answer.body, headers=headers)


@click.command(help=__doc__)
@click.option("--variant", type=click.Choice(list(SIGNATURES)), default="glyph-3")
@click.option("--repository", type=click.Path(path_type=Path), help="Of a network that was made.")
@click.option("--port", type=int, required=True)
@click.option("--batching", is_flag=True)
def main(variant: str, repository: Path | None, port: int, batching: bool) -> None:
    app = app_of(Network(MADE if repository else variant, repository), batching=batching)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
