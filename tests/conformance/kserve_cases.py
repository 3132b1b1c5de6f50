"""Requests by KServe's own client, REST and gRPC; run by test_kserve.py.

    python tests/conformance/kserve_cases.py URL HOST:PORT MODEL INPUT SHAPE OUTPUT [binary]

This is a script and not a test: the dependencies that kserve pins conflict with a server's, so it
runs in a virtual environment of its own, which needs nothing else.
"""

import asyncio
import json
import sys
from typing import Any

import numpy as np
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig


def request(name: str, shape: list[int], *, binary: bool | None = None) -> Any:
    given = InferInput(name=name, shape=shape, datatype="FP32")
    values = np.zeros(shape, np.float32)
    if binary is None:
        given.set_data_from_numpy(values)
    else:
        given.set_data_from_numpy(values, binary_data=binary)
    return given


async def rest(
    url: str, model: str, name: str, shape: list[int], output: str, forms: list[bool]
) -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
    assert await client.is_server_live(url)
    assert await client.is_server_ready(url)
    assert await client.is_model_ready(url, model)
    for binary in forms:
        asked = InferRequest(model, [request(name, shape, binary=binary)], request_id="7")
        answer = await client.infer(url, asked, model_name=model)
        assert answer.id == "7"
        (found,) = answer.outputs
        assert (found.name, found.as_numpy().shape[0]) == (output, 1)
        print(f"REST inference, {'binary' if binary else 'JSON'}: ok")
    await _refused(client.infer(url, asked, model_name="no-such-model"), "no-such-model")
    print("REST health and faults: ok")


async def grpc(address: str, model: str, name: str, shape: list[int], output: str) -> None:
    async with InferenceGRPCClient(address, timeout=60) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(model)
        asked = InferRequest(model, [request(name, shape)], request_id="7")
        answer = await client.infer(asked)
        assert answer.id == "7"
        (found,) = answer.outputs
        assert (found.name, found.as_numpy().shape[0]) == (output, 1)
        wrong = InferRequest("no-such-model", [request(name, shape)])
        await _refused(client.infer(wrong), "no-such-model")
    print("gRPC health, inference and faults: ok")


async def _refused(asking: Any, said: str) -> None:
    try:
        await asking
    except Exception as error:
        if said in str(error):
            return
        raise
    raise AssertionError("it was answered")


async def main(
    url: str, address: str, model: str, name: str, shape: str, output: str, binary: str = ""
) -> None:
    sizes = json.loads(shape)
    await rest(url, model, name, sizes, output, [False, True] if binary else [False])
    if address:
        await grpc(address, model, name, sizes, output)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
