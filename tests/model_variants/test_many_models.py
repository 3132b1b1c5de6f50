"""A server of many models, with real networks: each by its name, and all of them raced over."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch

from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.networks.models import open_stored
from infadapter_server.serving.app import create_app
from infadapter_server.serving.assembly import many
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.inference import Inference, Limits
from infadapter_server.serving.metrics import ServerMetrics
from tests.model_variants.onnx_files import linear
from tests.model_variants.programs import Tiny, save_export, save_script
from tests.model_variants.serving_world import until

MIB = 2**20
TENSORS = "input: {name: x, shape: [4]}\noutput: {name: y, shape: [3]}\nbatch_sizes: [1, 2, 4]\n"
ROW = [0.25, -1.0, 2.0, 0.5]


def folder_of(repository: Path, name: str, config: str = TENSORS, version: int = 1) -> Path:
    folder = repository / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    (repository / name / "config.yaml").write_text(config)
    return folder


def add(repository: Path, name: str, mib: float = 0.0, version: int = 1) -> Tiny:
    network = Tiny(ballast=int(mib * MIB / 4))
    save_script(network, folder_of(repository, name, version=version) / "model.pt")
    return network


def expected(network: Tiny) -> list[float]:
    with torch.inference_mode():
        answer: list[float] = network.eval()(torch.tensor([ROW]))[0].tolist()
    return answer


def question(*rows: list[float], name: str = "x") -> dict[str, Any]:
    data = [value for row in rows for value in row]
    shape = [len(rows), len(rows[0])]
    return {"inputs": [{"name": name, "shape": shape, "datatype": "FP32", "data": data}]}


@asynccontextmanager
async def serving(
    repository: Path, *given: str, memory: int | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    served = many(given, repository, memory, "this machine")
    metrics = ServerMetrics(served.variant)
    driver = Driver(served.repository, [ThreadExecutor("executor", open_stored)], metrics)
    inference = Inference(
        variant=served.variant,
        models=served.models,
        limits=Limits(),
        driver=driver,
        metrics=metrics,
    )
    driver.start()
    transport = httpx.ASGITransport(create_app(inference))
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        await until(lambda: driver.ready or served.repository.unserved() is not None)
        yield client
        assert await driver.stop(60)


async def states(client: httpx.AsyncClient) -> dict[str, str]:
    rows = (await client.post("/v2/repository/index")).json()
    return {row["name"]: row["state"] for row in rows}


async def settled(client: httpx.AsyncClient) -> dict[str, str]:
    while {"LOADING", "UNLOADING"} & set((await states(client)).values()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # by the executor's thread
    return await states(client)


async def test_each_model_answers_under_its_name_whatever_its_format(tmp_path: Path) -> None:
    script = add(tmp_path, "script", version=3)
    export = Tiny()
    save_export(export, folder_of(tmp_path, "export") / "model.pt2")
    onnx = Tiny()
    given = linear(tmp_path / "onnx" / "2" / "model.onnx", onnx.linear)
    fixed = linear(tmp_path / "one.onnx", onnx.linear, taken=(1, 4), given=(1, 3))
    folder_of(tmp_path, "glyphs", "variant: glyph-1\nbatch_sizes: [1, 2]")
    networks = {"script": script, "export": export, "onnx": onnx, "named": onnx, "fixed": onnx}
    async with serving(tmp_path, "small=glyph-1", f"named={given}", f"fixed={fixed}") as client:
        for name, network in networks.items():
            answer = await client.post(f"/v2/models/{name}/infer", json=question(ROW, ROW))
            assert answer.status_code == 200, answer.text
            output = answer.json()["outputs"][0]
            assert (output["name"], output["shape"]) == ("y", [2, 3])
            assert np.allclose(output["data"], expected(network) * 2, atol=1e-5)
        for name in ("glyphs", "small"):
            answer = await client.post(
                f"/v2/models/{name}/infer",
                json={
                    "inputs": [
                        {
                            "name": "image",
                            "shape": [1, 1, 32, 32],
                            "datatype": "FP32",
                            "data": [0.5] * 1024,
                        }
                    ]
                },
            )
            assert answer.json()["outputs"][0]["shape"] == [1, 36]
        about = (await client.get("/v2/models/script")).json()
        assert (about["name"], about["versions"]) == ("script", ["3"])
        assert about["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
        assert (await client.get("/v2/models/small")).json()["versions"] == ["glyph-1"]
        about = (await client.get("/v2/models/onnx")).json()
        assert (about["versions"], about["platform"]) == (["2"], "onnxruntime_onnx")
        config = (await client.get("/v2/models/onnx/config")).json()
        assert config["backend"] == "onnxruntime"


async def test_a_server_is_not_ready_while_nothing_that_it_has_can_be_served(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path, "m", "variant: vgg\n")
    async with serving(tmp_path) as client:
        assert (await client.get("/v2/health/ready")).status_code == 503
        assert (await client.get("/v2/health/live")).status_code == 200
        assert "'vgg'" in (await client.get("/v2/models/m")).json()["error"]
        add(tmp_path, "m")
        assert folder.is_dir()
        assert (await client.post("/v2/repository/models/m/load")).status_code == 200
        assert (await client.get("/v2/health/ready")).status_code == 200


async def test_versions_in_paths_are_those_that_there_are(tmp_path: Path) -> None:
    network = add(tmp_path, "m", version=2)
    async with serving(tmp_path) as client:
        answer = await client.post("/v2/models/m/versions/2/infer", json=question(ROW))
        assert answer.json()["model_version"] == answer.headers["infadapter-variant"] == "2"
        assert np.allclose(answer.json()["outputs"][0]["data"], expected(network), atol=1e-5)
        assert (await client.get("/v2/models/m/versions/2/ready")).status_code == 200
        wrong = await client.post("/v2/models/m/versions/1/infer", json=question(ROW))
        assert (wrong.status_code, "there is 2" in wrong.json()["error"]) == (404, True)


async def test_a_new_version_is_served_once_the_index_was_asked(tmp_path: Path) -> None:
    add(tmp_path, "m")
    async with serving(tmp_path, memory=8 * MIB) as client:
        second = add(tmp_path, "m", version=2)
        assert (await client.post("/v2/repository/index")).json()[0]["version"] == "2"
        assert (await client.post("/v2/repository/models/m/load")).status_code == 200
        answer = await client.post("/v2/models/m/infer", json=question(ROW))
        assert np.allclose(answer.json()["outputs"][0]["data"], expected(second), atol=1e-5)


async def test_what_can_not_be_served_is_a_status_and_a_sentence(tmp_path: Path) -> None:
    add(tmp_path, "good")
    add(tmp_path, "damaged")
    path = tmp_path / "damaged" / "1" / "model.pt"
    path.write_bytes(path.read_bytes()[:900])
    add(tmp_path, "large", mib=9)
    add(tmp_path, "misfit")
    (tmp_path / "misfit" / "config.yaml").write_text(TENSORS.replace("[3]", "[5]"))
    shutil.copytree(tmp_path / "good", tmp_path / "spoilt")
    (tmp_path / "spoilt" / "config.yaml").write_text("shape: 3")
    said = {
        "damaged": (503, "is damaged, or no file of torch: write it by torch.jit.save"),
        "large": (507, "large takes 9.0 MiB, and all models together may take 8.0 MiB"),
        "misfit": (503, "it answers float32 [1, 3], and not float32 [1, 5]"),
        "spoilt": (503, "shape is no key; there are input, output, variant"),
        "nobody": (404, "There is no model 'nobody' here"),
    }
    async with serving(tmp_path, memory=8 * MIB) as client:
        for name, (status, sentence) in said.items():
            for path_ in (f"/v2/models/{name}/infer", f"/v2/repository/models/{name}/load"):
                answer = await client.post(path_, json={})
                assert (answer.status_code, path_) == (status, path_)
                assert sentence in answer.json()["error"]
        assert (await client.post("/v2/models/good/infer", json=question(ROW))).status_code == 200
        reasons = {r["name"]: r for r in (await client.post("/v2/repository/index")).json()}
        assert reasons["damaged"]["state"] == "UNAVAILABLE"
        assert said["misfit"][1] in reasons["misfit"]["reason"]


async def test_ready_says_what_is_in_memory_and_who_is_asked_comes_into_it(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        add(tmp_path, name, mib=2)
    async with serving(tmp_path, memory=6 * MIB) as client:  # whole pages, so two of them
        assert await settled(client) == {"a": "READY", "b": "READY", "c": "UNAVAILABLE"}
        assert (await client.get("/v2/models/c/ready")).status_code == 503
        assert (await client.post("/v2/models/c/infer", json=question(ROW))).status_code == 200
        assert (await client.get("/v2/models/c/ready")).status_code == 200
        assert sorted((await states(client)).values()) == ["READY", "READY", "UNAVAILABLE"]
        assert (await client.post("/v2/repository/models/c/unload")).status_code == 200
        assert (await states(client))["c"] == "UNAVAILABLE"


async def test_a_restart_needs_no_measuring(tmp_path: Path) -> None:
    add(tmp_path, "a")
    async with serving(tmp_path, memory=8 * MIB):
        pass
    async with serving(tmp_path, memory=8 * MIB) as client:
        text = (await client.get("/metrics")).text
        loads = next(line for line in text.splitlines() if "loads_total{" in line)
        assert float(loads.rpartition(" ")[2]) <= 2  # one to begin with, one to stay


async def test_clients_that_load_ask_and_unload_at_once_never_break_each_others_answers(
    tmp_path: Path,
) -> None:
    names = [f"m{number}" for number in range(5)]
    right = {name: expected(add(tmp_path, name, mib=1)) for name in names}
    codes: list[int] = []

    async def visit(client: httpx.AsyncClient, draw: random.Random) -> None:
        for _ in range(30):
            name, what = draw.choice(names), draw.choice(["ask", "ask", "ask", "load", "unload"])
            if what == "ask":
                answer = await client.post(f"/v2/models/{name}/infer", json=question(ROW))
                if answer.status_code == 200:
                    values = answer.json()["outputs"][0]["data"]
                    assert np.allclose(values, right[name], atol=1e-5), "another model's answer"
            else:
                answer = await client.post(f"/v2/repository/models/{name}/{what}")
            codes.append(answer.status_code)

    async with serving(tmp_path, memory=4 * MIB) as client:  # two at a time
        await asyncio.gather(*(visit(client, random.Random(seed)) for seed in range(8)))
        there = list((await settled(client)).values())
        assert there.count("READY") <= 2
    # Refused are those for whom no model in memory could make way, and loads that were undone.
    assert set(codes) <= {200, 503}
    assert codes.count(200) > 0.5 * len(codes)
