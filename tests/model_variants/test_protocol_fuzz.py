"""Whatever is sent is read or refused with a sentence; nothing is the server's mistake."""

import httpx
import pytest

from tests.deep import DEEP
from tests.model_variants.fuzzing import body, endless, message, outcomes, read_body, read_message
from tests.model_variants.serving_world import INFER, running

NUMBER = 200_000 if DEEP else 2_000


@pytest.mark.timeout(600)
def test_bodies_and_headers_are_read_or_refused() -> None:
    counted = outcomes(read_body, endless(body, seed=7), NUMBER)
    assert counted["read"] > NUMBER / 20
    assert counted["BadTensor"] > NUMBER / 20
    assert counted["BadEncoding"]
    assert counted["UnknownEncoding"]


@pytest.mark.timeout(600)
def test_messages_are_read_or_refused() -> None:
    counted = outcomes(read_message, endless(message, seed=7), NUMBER)
    assert counted["read"] > NUMBER / 50
    assert counted["BadTensor"] > NUMBER / 20


async def test_over_http_no_body_is_the_servers_mistake() -> None:
    drawn = endless(body, seed=11)
    async with running() as server:
        for _ in range(NUMBER // 10):
            response = await _send(server.client, *next(drawn))
            assert response.status_code in (200, 400, 413, 415), response.text
            assert response.status_code == 200 or response.json()["error"]


async def _send(
    client: httpx.AsyncClient, content: bytes, length: str | None, encoding: str
) -> httpx.Response:
    headers = [(b"content-encoding", encoding.encode())] if encoding else []
    if length is not None:
        headers.append((b"inference-header-content-length", length.encode()))
    return await client.post(INFER, content=content, headers=headers)
