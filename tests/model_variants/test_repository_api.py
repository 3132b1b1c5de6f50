"""Index, load and unload over HTTP, as clients of Triton spell them."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from starlette.applications import Starlette

from infadapter_server.executors.messages import ModelLoaded, Outcome
from infadapter_server.serving.allowances import Allowances
from infadapter_server.serving.catalogue import Changes
from infadapter_server.serving.layout import scan
from infadapter_server.serving.measurements import Measurements
from infadapter_server.serving.repository import NotServed, Repository
from infadapter_server.serving.repository_api import RepositoryApi
from infadapter_server.serving.repository_routes import LONGEST_BODY, add_repository
from tests.model_variants.repositories import add

LOAD, UNLOAD = "/v2/repository/models/m/load", "/v2/repository/models/m/unload"


class House:
    """Grants at once what it is asked for, unless it is full."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.full = False
        self.changes: list[Changes] = []

    async def load(self, name: str) -> None:
        if self.full:
            raise NotServed(503, "All memory is in use.", 2.2)
        self._repository.loading(name)
        self._repository.loaded(ModelLoaded(name, Outcome.DONE, 0.0, 1.0, 1, {1: 0.1, 4: 0.2}))

    async def unload(self, name: str) -> None:
        self._repository.standing(name).unloaded("")

    def changed(self, changes: Changes) -> None:
        self.changes.append(changes)


@pytest.fixture
def house(tmp_path: Path) -> House:
    add(tmp_path, "m")
    return House(Repository(lambda: scan(tmp_path), Measurements(None)))


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette()
    none = Allowances(lambda _: None, lambda _: ())
    add_repository(app, RepositoryApi(house._repository, house, none), "many")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        yield client


@pytest.mark.parametrize(
    ("name", "shown"), [(b"\xff\xfe", "\ufffd\ufffd"), (b"a\nb", "a b"), ("ünï".encode(), "ünï")]
)
async def test_a_folder_of_a_strange_name_is_shown_and_spoils_nothing(
    client: httpx.AsyncClient, tmp_path: Path, name: bytes, shown: str
) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/" + name)
    rows = (await client.post("/v2/repository/index")).json()
    states = {row["name"]: row["state"] for row in rows}
    assert states.keys() == {"m", shown}
    assert states[shown] == "UNAVAILABLE"
    assert (await client.post(LOAD)).status_code == 200
    assert (await client.post(f"/v2/repository/models/{quote(shown)}/load")).status_code == 503


async def index(client: httpx.AsyncClient, **body: object) -> list[dict[str, str]]:
    answer = await client.post("/v2/repository/index", json=body)
    assert answer.status_code == 200
    rows: list[dict[str, str]] = answer.json()
    return rows


async def test_a_model_is_loaded_and_unloaded_by_its_name(client: httpx.AsyncClient) -> None:
    row = {"name": "m", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"}
    assert await index(client) == [row]
    answer = await client.post(LOAD)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["infadapter-variant"] == "many"
    assert await index(client, ready=True) == [row | {"state": "READY", "reason": ""}]
    # as tritonclient sends it
    answer = await client.post(UNLOAD, json={"parameters": {"unload_dependents": False}})
    assert (answer.status_code, answer.content) == (200, b"")
    assert await index(client, ready=True) == []


async def test_the_index_sees_what_has_been_put_there(
    client: httpx.AsyncClient, house: House, tmp_path: Path
) -> None:
    add(tmp_path, "n")
    assert [row["name"] for row in await index(client)] == ["m", "n"]
    assert house.changes == [Changes(("n",), (), ())]


async def test_a_model_that_has_just_been_put_there_can_be_loaded(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    add(tmp_path, "n")
    assert (await client.post("/v2/repository/models/n/load")).status_code == 200


@pytest.mark.parametrize("path", [LOAD, UNLOAD])
async def test_a_model_that_is_not_there_is_404(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path.replace("/m/", "/nobody/"))
    assert answer.status_code == 404
    assert answer.json() == {"error": "There is no model 'nobody' here."}


async def test_a_full_memory_is_503_with_retry_after(
    client: httpx.AsyncClient, house: House
) -> None:
    house.full = True
    answer = await client.post(LOAD)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.json() == {"error": "All memory is in use."}


async def test_a_load_that_was_asked_for_is_tried_though_one_failed_lately(
    client: httpx.AsyncClient, house: House
) -> None:
    house._repository.loading("m")
    house._repository.loaded(ModelLoaded("m", Outcome.FAILED, 0.0, 1.0, error="No such luck."))
    assert (await index(client))[0]["reason"] == "No such luck."
    assert (await client.post(LOAD)).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v2/repository/index", b"{", "The body is not JSON"),
        ("/v2/repository/index", b"[]", "must be a JSON object"),
        (
            "/v2/repository/index",
            b'{"reedy": true}',
            "The field 'reedy' is unknown; there is ready",
        ),
        ("/v2/repository/index", b'{"ready": 1}', "must be true or false"),
        (LOAD, b'{"parameters": 3}', "parameters must be an object"),
        (LOAD, b'{"parameters": {"config": "{}"}}', "The parameter 'config' has no effect here"),
        (UNLOAD, b'{"force": true}', "The field 'force' is unknown; there is parameters"),
    ],
)
async def test_a_body_that_asks_for_something_else_is_400(
    client: httpx.AsyncClient, path: str, body: bytes, said: str
) -> None:
    answer = await client.post(path, content=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


async def test_an_endless_body_is_413(client: httpx.AsyncClient) -> None:
    for path in (LOAD, UNLOAD, "/v2/repository/index"):
        answer = await client.post(path, content=b" " * (LONGEST_BODY + 1))
        assert (answer.status_code, list(answer.json())) == (413, ["error"])


async def test_a_repository_that_has_gone_is_500_and_its_models_stay(
    client: httpx.AsyncClient, house: House, tmp_path: Path
) -> None:
    await client.post(LOAD)
    shutil.move(tmp_path, f"{tmp_path}-elsewhere")
    answer = await client.post("/v2/repository/index")
    assert answer.status_code == 500
    assert "can't be read: No such file or directory" in answer.json()["error"]
    assert house._repository.standing("m").state == "READY"
