"""Messages at the start of an operator that no API server allows to work."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from kubernetes import config
from kubernetes.client import ApiClient, Configuration

from infadapter_local.router import free_ports
from infadapter_operator.kube.access import problem_of, wait_for_access
from infadapter_operator.kube.client import KubeApi, NoCluster, connect
from infadapter_operator.listening import listen
from tests.patience import PATIENCE_S

FORBIDDEN = "inferenceservices.infadapter.io is forbidden"
GOOD: tuple[int, object] = (200, {"items": []})


class Answers:
    """An API server that gives these answers in order, and repeats the last one."""

    def __init__(self) -> None:
        self.given: list[tuple[int, object]] = [GOOD]
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        status, body = self.given.pop(0) if len(self.given) > 1 else self.given[0]
        return web.json_response(body, status=status)


@pytest.fixture
async def there() -> AsyncIterator[tuple[Answers, KubeApi]]:
    answers, app = Answers(), web.Application()
    app.router.add_get("/{path:.*}", answers.answer)
    runner, port = await listen(app, "127.0.0.1", 0)
    yield answers, api_at(port)
    await runner.cleanup()


def api_at(port: int) -> KubeApi:
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{port}"
    configuration.retries = False
    return KubeApi(ApiClient(configuration), 5.0)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, {"message": "Unauthorized"}, "rejects the credentials (401): renew the token"),
        (403, {"message": FORBIDDEN}, f"forbids it: {FORBIDDEN}. Grant the operator its role"),
        (404, {"message": "page not found"}, "install the CRDs"),
        (500, {"message": "etcd is gone"}, "is unavailable: etcd is gone. Look whether it runs"),
        (200, "<html>", "answers, but not as an API server does"),
    ],
)
async def test_what_is_missing_is_said_with_what_to_do(
    there: tuple[Answers, KubeApi], status: int, body: object, said: str
) -> None:
    answers, api = there
    answers.given = [(status, body)]
    problem = await problem_of(api, ())
    assert problem is not None
    assert said in problem
    assert problem.startswith("The API server http://127.0.0.1:")


async def test_a_server_out_of_reach_is_one_sentence_without_the_paths_of_requests() -> None:
    problem = await problem_of(api_at(free_ports(1)[0]), ())
    assert problem is not None
    assert "Connection refused. Look whether it runs" in problem
    assert "/apis/" not in problem


async def test_both_kinds_are_asked_for_where_the_operator_will_watch(
    there: tuple[Answers, KubeApi],
) -> None:
    answers, api = there
    assert await problem_of(api, ()) is None
    assert await problem_of(api, ("vision", "team-*")) is None
    root = "/apis/infadapter.io/v1alpha1"
    assert answers.asked == [
        f"{root}/inferenceservices",
        f"{root}/variantprofiles",
        f"{root}/namespaces/vision/inferenceservices",
        f"{root}/namespaces/vision/variantprofiles",
    ]


async def test_it_waits_with_a_line_for_each_time_until_it_may(
    there: tuple[Answers, KubeApi], caplog: pytest.LogCaptureFixture
) -> None:
    answers, api = there
    answers.given = [(403, {"message": FORBIDDEN}), (404, {}), GOOD]
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(PATIENCE_S):
            await wait_for_access(api, ("vision",), first_s=0.01)
    lines = [record.getMessage() for record in caplog.records if "infadapter" in record.name]
    ends = [line.rpartition("again in ")[2] for line in lines]
    assert ends == ["0.01 s.", "0.02 s."]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "can't be used: Invalid kube-config file. No configuration found. Set KUBECONFIG"),
        ("", "can't be used: Invalid kube-config."),
        ("{}", "Expected key current-context"),
        ("apiVersion: [", "is no kubeconfig: while parsing a flow node"),
        ("[1, 2]", "is no kubeconfig: "),
        ("hello", "is no kubeconfig: "),
    ],
)
def test_a_kubeconfig_that_is_none_is_named_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, said: str
) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setattr(config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    with pytest.raises(NoCluster) as raised:
        connect(5.0)
    assert str(raised.value).startswith(f"{path} ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
