"""One HTTP stream through operating points: floors, answers, metrics and what a plan allows."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import mean
from typing import Any

import grpc
import pytest
import torch

from infadapter_scheduler import POINT_POLICIES
from infadapter_server.networks.adaptive.points import Point
from infadapter_server.serving.command import command
from infadapter_server.serving.deadlines import Deadlines
from infadapter_server.serving.floors import floor_of
from infadapter_server.serving.grpc import inference_pb2 as pb
from infadapter_server.serving.grpc.front import open_front
from infadapter_server.serving.heads import read_head
from infadapter_server.serving.protocol import BadTensor
from infadapter_server.serving.repository_api import RepositoryApi
from tests.model_variants.points_world import Served, points_of, serving_points, write_model
from tests.model_variants.test_overload import running_virtually
from tests.model_variants.test_residence import virtual
from tests.model_variants.virtual_executor import Kind
from tests.patience import PATIENCE_S

EXAMPLE = Path(__file__).parents[2] / "docs/examples/early-exit"
GLYPHS = "ladder: [glyph-1, glyph-2]\nbatch_sizes: [1, 2, 4]\n"
BEST, LEAST = "glyph-2", "glyph-1"
MIB = 2**20


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def accuracies(content: dict[str, Any]) -> dict[str, float]:
    return {point["name"]: point["accuracy"] for point in content["points"]}


SLOW = Point("slow", 0.9, {n: 0.04 * n for n in (1, 2, 4, 8)})
QUICK = Point("quick", 0.7, {n: 0.01 * n for n in (1, 2, 4, 8)})


@virtual
async def test_a_burst_costs_accuracy_and_not_deadlines() -> None:
    """Four times what the best point can serve, beside that point alone."""
    ladder, within = {"sums": Kind(points=(QUICK, SLOW))}, Deadlines(default_s=0.5)
    async with running_virtually(ladder, deadlines=within) as server:

        async def burst() -> Counter[str]:
            """Of forty requests at once, which points answered, and what the others were told."""
            answers = await asyncio.gather(*(server.ask((1, 2)) for _ in range(40)))
            said = [answer.json() for answer in answers]
            return Counter(one.get("error") or one["parameters"]["point"] for one in said)

        allowances = server.driver.residence.allowances
        allowances.allow("sums", ("slow",), 0.0)
        assert await burst() == {"slow": 12, "It would be answered too late.": 28}
        allowances.allow("sums", None, 0.0)
        assert await burst() == {"quick": 40}
        assert await server.outcome("on_time") == 12 + 40
        assert await server.outcome("failed") == await server.outcome("late") == 0


@pytest.mark.process
async def test_real_networks_answer_more_of_a_burst_where_they_may_be_less_accurate(
    tmp_path: Path, threads: None
) -> None:
    """Several times what the best one can serve, beside that one alone; once, on a busy machine."""
    write_model(tmp_path, "glyphs", "ladder: [glyph-1, glyph-5]\nbatch_sizes: [1, 2]\n")
    more: list[float] = []
    async with serving_points(tmp_path) as served:
        best = served.inference.driver.points("glyphs")[-1]
        within_ms = max(200, 4 * 1000 * best.execution_s[1])
        while not more or max(more) < 1.5:
            assert len(more) < 10, more
            await served.allow("glyphs", allowed=["glyph-5"])
            fixed = await served.burst("glyphs", 40, within_ms)
            assert set(points_of(fixed)) <= {"glyph-5"}
            await served.allow("glyphs")
            chosen = await served.burst("glyphs", 40, within_ms)
            more.append(len(chosen) / max(1, len(fixed)))
        late = (await served.client.get("/metrics")).text
    assert points_of(chosen)["glyph-1"] > 0
    assert mean(answer["parameters"]["accuracy"] for answer in chosen) < best.accuracy
    assert 'infadapter_server_outcomes_total{outcome="failed",variant="many"} 0.0' in late


async def test_an_answer_says_its_point_and_a_floor_holds_however_it_is_said(
    tmp_path: Path, threads: None
) -> None:
    write_model(tmp_path, "glyphs", GLYPHS)
    write_model(tmp_path, "plain", "variant: glyph-1\nbatch_sizes: [1]\n")
    async with serving_points(tmp_path, POINT_POLICIES["lowest-accuracy"]()) as served:
        described = (await served.client.get("/v2/models/glyphs")).json()["parameters"]
        known = accuracies(described)
        assert list(known) == [LEAST, BEST]
        halfway = sum(known.values()) / 2
        asked: dict[str, list[dict[str, Any]]] = {
            LEAST: [{}, {"parameters": {"accuracy_floor": 0}}],
            BEST: [
                {"parameters": {"accuracy_floor": halfway}},
                {"headers": {"infadapter-accuracy-floor": f"{halfway}"}},
                {
                    "headers": {"infadapter-accuracy-floor": f"{halfway}"},
                    "parameters": {"accuracy_floor": 0.1},
                },
                {"parameters": {"accuracy_floor": known[BEST], "timeout": 9_000_000}},
            ],
        }
        for point, terms in asked.items():
            for term in terms:
                for rows in (1, 8):  # the short way; and with a body that a thread parses
                    answer = (await served.ask("glyphs", rows, **term)).json()
                    assert answer["parameters"] == {"point": point, "accuracy": known[point]}
                    assert answer["outputs"][0]["shape"] == [rows, 36]
        plain = (await served.ask("plain", parameters={"accuracy_floor": 0.99})).json()
        assert "parameters" not in plain
        assert "points" not in (await served.client.get("/v2/models/plain")).json()["parameters"]
        counted = await served.samples("infadapter_server_points_total")
        total = (await served.samples("infadapter_server_accuracy_sum"))[""]
        assert (await served.samples("infadapter_server_accuracy_count"))[""] == 12
        nothing = await served.client.post("/v2/repository/models/plain/points", json={})
        assert (nothing.status_code, nothing.json()["error"]) == (
            400,
            "plain has no operating points.",
        )
    assert counted == {LEAST: 4, BEST: 8}
    assert total == pytest.approx(4 * known[LEAST] + 8 * known[BEST])


async def test_a_floor_that_can_not_be_is_a_sentence(tmp_path: Path, threads: None) -> None:
    write_model(tmp_path, "glyphs", GLYPHS)
    async with serving_points(tmp_path) as served:
        above = await served.ask("glyphs", parameters={"accuracy_floor": 0.999})
        assert above.status_code == 400
        assert "above that of the best operating point, glyph-2 with 0.8" in above.json()["error"]
        header = {"infadapter-accuracy-floor": "most"}
        wrong = await served.ask("glyphs", headers=header)
        assert wrong.status_code == 400
        assert wrong.json()["error"] == "infadapter-accuracy-floor must be a fraction from 0 to 1."
        over = await served.ask("glyphs", parameters={"accuracy_floor": 87})
        assert (over.status_code, "accuracy_floor is 87;" in over.json()["error"]) == (400, True)


@pytest.mark.parametrize("given", [True, "0.5", -0.1, 1.5, float("nan"), [0.5], 10**400])
def test_a_floor_is_a_fraction(given: object) -> None:
    with pytest.raises(BadTensor, match=r"The parameter accuracy_floor is .*must be a fraction"):
        floor_of(None, given)
    with pytest.raises(BadTensor, match="infadapter-accuracy-floor must be a fraction"):
        floor_of(str(given).encode() if given != "0.5" else b"0,5", None)


@pytest.mark.parametrize(
    ("header", "parameter", "floor"),
    [(None, None, 0), (b"0.5", None, 0.5), (None, 1, 1), (b"0.5", 0.7, 0.7), (b"0.7", 0.5, 0.7)],
)
def test_the_stricter_of_two_floors_holds(
    header: bytes | None, parameter: object, floor: float
) -> None:
    assert floor_of(header, parameter) == floor


async def test_a_plan_changes_what_may_serve_while_requests_come(
    tmp_path: Path, threads: None
) -> None:
    write_model(tmp_path, "glyphs", GLYPHS)
    async with serving_points(tmp_path, POINT_POLICIES["max-accuracy"]()) as served:
        path = "/v2/repository/models/glyphs/points"
        answer = (await served.ask("glyphs")).json()
        assert answer["parameters"]["point"] == BEST
        changed = await served.allow("glyphs", allowed=[LEAST])
        assert changed.json()["allowed"] == [LEAST]
        assert points_of(await served.burst("glyphs", 5, 5000)) == {LEAST: 5}
        restricted = await served.ask("glyphs", parameters={"accuracy_floor": 0.85})
        assert restricted.status_code == 503
        assert "No operating point that is allowed now" in restricted.json()["error"]
        for content, said in (
            ({"allowed": ["glyph-9"]}, "no operating point 'glyph-9': there are glyph-1, glyph-2"),
            ({"allowed": [LEAST], "floor": 0.9}, "the best operating point, glyph-1 with 0.8"),
            ({"floor": 2}, "The field floor must be a fraction from 0 to 1"),
            ({"allowed": []}, "The field allowed must be a list of points, or null for all"),
            ({"points": [LEAST]}, "The field 'points' is unknown; there is allowed, floor"),
        ):
            refused = await served.allow("glyphs", **content)
            assert (refused.status_code, said in refused.json()["error"]) == (400, True), content
        assert (await served.client.get(path)).json() == changed.json()
        raised = await served.allow("glyphs", floor=0.85)
        assert (raised.json()["allowed"], raised.json()["floor"]) == ([BEST], 0.85)
        assert points_of(await served.burst("glyphs", 5, 5000)) == {BEST: 5}
        missing = await served.client.post("/v2/repository/models/none/points", json={})
        assert missing.status_code == 404


async def test_what_a_plan_allows_outlives_a_load_and_another_file(
    tmp_path: Path, threads: None
) -> None:
    write_model(tmp_path, "glyphs", GLYPHS)
    async with serving_points(tmp_path, POINT_POLICIES["max-accuracy"](), 64 * MIB) as served:
        await served.allow("glyphs", allowed=[LEAST])
        path = "/v2/repository/models/glyphs"
        assert (await served.client.post(f"{path}/unload")).status_code == 200
        assert (await served.ask("glyphs")).json()["parameters"]["point"] == LEAST
        config = tmp_path / "glyphs/config.yaml"
        config.write_text("ladder: [glyph-1, glyph-3]\nbatch_sizes: [1, 2]\n")
        assert (await served.client.post(f"{path}/load")).status_code == 200
        await until_points(served, ["glyph-1", "glyph-3"])
        assert (await served.ask("glyphs")).json()["parameters"]["point"] == LEAST
        config.write_text("ladder: [glyph-2, glyph-3]\nbatch_sizes: [1, 2]\n")
        assert (await served.client.post(f"{path}/load")).status_code == 200
        await until_points(served, ["glyph-2", "glyph-3"])
        assert (await served.ask("glyphs")).json()["parameters"]["point"] == "glyph-3"


async def until_points(served: Any, names: list[str]) -> None:
    """The scheduler takes a model anew once its points are known, which is a second load."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            described = (await served.client.get("/v2/models/glyphs")).json()["parameters"]
            if list(accuracies(described | {"points": described.get("points", [])})) == names:
                return
            await asyncio.sleep(0.01)


async def test_a_profile_of_other_points_than_the_network_has_is_not_served(
    tmp_path: Path, threads: None
) -> None:
    profile = "profile: {load_seconds: 1, points: {old: {1: 0.1}, glyph-1: {1: 0.1}}}\n"
    write_model(tmp_path, "glyphs", "ladder: [glyph-1, glyph-2]\nbatch_sizes: [1]\n" + profile)
    write_model(tmp_path, "plain", "variant: glyph-1\nbatch_sizes: [1]\n")
    async with serving_points(tmp_path) as served:
        refused = await served.client.post("/v2/models/glyphs/infer", json={})
    assert refused.status_code == 503
    said = refused.json()["error"]
    assert "doesn't match its operating points: it knows old and lacks glyph-2" in said


async def test_the_early_exit_network_of_the_documentation_is_served_end_to_end(
    tmp_path: Path, threads: None
) -> None:
    source = (EXAMPLE / "1/model.py").read_text()
    folder = write_model(tmp_path, "exits", (EXAMPLE / "config.yaml").read_text())
    (folder / "model.py").write_text(source)
    module: dict[str, Any] = {}
    exec(compile(source, "model.py", "exec"), module)
    torch.save(module["EarlyExit"]().state_dict(), folder / "weights.pth")
    async with serving_points(tmp_path) as served:
        parameters = (await served.client.get("/v2/models/exits")).json()["parameters"]
        assert accuracies(parameters) == {"exit-0": 0.61, "exit-1": 0.72, "exit-2": 0.80}
        floored = (await served.ask("exits", 2, parameters={"accuracy_floor": 0.75})).json()
        assert floored["parameters"] == {"point": "exit-2", "accuracy": 0.80}
        await served.allow("exits", allowed=["exit-0", "exit-1"], floor=0.7)
        assert (await served.ask("exits")).json()["parameters"]["point"] == "exit-1"


@pytest.mark.usefixtures("threads")
async def test_the_supernet_that_ships_answers_a_burst_at_several_points(tmp_path: Path) -> None:
    write_model(tmp_path, "signals", "variant: mnist1d\nbatch_sizes: [1, 2, 4, 8]\n")
    async with serving_points(tmp_path) as served:
        assert len(served.inference.driver.points("signals")) >= 8
        calm = await served.burst("signals", 1, 5000)
        floored = await served.ask("signals", within_ms=5000, parameters={"accuracy_floor": 0.993})
        burst = await served.burst("signals", 150, 60)
    assert calm[0]["parameters"]["accuracy"] > 0.99
    assert floored.json()["parameters"]["accuracy"] >= 0.993
    best = calm[0]["parameters"]["accuracy"]
    assert all(answer["parameters"]["accuracy"] <= best for answer in burst)


def test_an_unknown_policy_is_a_sentence_that_names_those_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["infadapter-server", "--variant", "glyph-1", "--point-policy", "best"]
    monkeypatch.setattr("sys.argv", argv)
    assert command() == 2
    said = capsys.readouterr().err
    assert all(name in said for name in POINT_POLICIES)


async def test_grpc_takes_floors_and_says_the_point(tmp_path: Path, threads: None) -> None:
    write_model(tmp_path, "glyphs", GLYPHS)
    lowest = POINT_POLICIES["lowest-accuracy"]()
    async with serving_points(tmp_path, lowest) as served, calling(served) as infer:
        least = await infer()
        assert least.parameters["point"].string_param == LEAST
        known = accuracies((await served.client.get("/v2/models/glyphs")).json()["parameters"])
        assert least.parameters["accuracy"].double_param == known[LEAST]
        by_parameter = await infer(floor=pb.InferParameter(double_param=known[BEST]))
        assert by_parameter.parameters["point"].string_param == BEST
        by_header = await infer(metadata=(("infadapter-accuracy-floor", f"{known[BEST]}"),))
        assert by_header.parameters["point"].string_param == BEST
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await infer(floor=pb.InferParameter(double_param=0.999))
        assert ended.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "best operating point, glyph-2" in str(ended.value.details())


@asynccontextmanager
async def calling(served: Served) -> AsyncIterator[Callable[..., Any]]:
    residence = served.inference.driver.residence
    api = RepositoryApi(residence.repository, residence.wishes, residence.allowances)
    front = await open_front(served.inference, "127.0.0.1", 0, api, 64)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{front.port}") as channel:
        call = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            pb.ModelInferRequest.SerializeToString,
            pb.ModelInferResponse.FromString,
        )

        async def infer(floor: Any = None, metadata: Any = None) -> Any:
            tensor = {"name": "image", "datatype": "FP32", "shape": [1, 1, 32, 32]}
            request = pb.ModelInferRequest(
                model_name="glyphs",
                inputs=[tensor],
                parameters={} if floor is None else {"accuracy_floor": floor},
                raw_input_contents=[bytes(4 * 32 * 32)],
            )
            return await call(request, timeout=PATIENCE_S, metadata=metadata)

        yield infer
    await front.stop(PATIENCE_S)


def test_of_several_floors_the_highest_holds_however_they_are_written() -> None:
    head = read_head(
        [
            (b"infadapter-accuracy-floor", b"0.5"),
            (b"content-length", b"3"),
            (b"infadapter-accuracy-floor", b"0.9, 0.2"),
        ]
    )
    assert floor_of(head.floor, None) == 0.9
    assert floor_of(head.floor, 0.95) == 0.95
    assert floor_of(b"0.9", None) == 0.9


@pytest.mark.parametrize("wrong", [b"", b"0.5,", b"0.5,most", b"0.5,2", b"-1,0.5", b"nan,0.5"])
def test_one_wrong_floor_of_several_is_a_sentence(wrong: bytes) -> None:
    with pytest.raises(BadTensor, match="infadapter-accuracy-floor must be a fraction"):
        floor_of(wrong, None)
