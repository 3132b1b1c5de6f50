"""
Everything that the profiler asks a server besides inferences.

These few requests are ordinary blocking ones on a thread: they are not measured.
"""

import http.client
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from infadapter_profiles import wire
from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling.aside import aside
from infadapter_server.profiling.profiler import ProfileError

ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
ASK_TIMEOUT_S = 30.0
_LOAD_GAUGE = re.compile(rf"^{wire.SERVER_LOAD_TIME}(?:\{{[^}}]*\}})? ([0-9.eE+-]+)$", re.MULTILINE)
_ARRIVALS = re.compile(rf"^{wire.SERVER_ARRIVALS}(?:\{{[^}}]*\}})? ([0-9.eE+-]+)$", re.MULTILINE)
_BATCHES = re.compile(
    rf"^{wire.SERVER_BATCH}_bucket\{{[^}}]*le=\"([^\"]+)\"[^}}]*\}} ([0-9.eE+-]+)$", re.MULTILINE
)
_INFER = re.compile(rf"(?P<model>{wire.MODELS_PATH}/[^/?]+(?:/versions/[^/?]+)?)/infer$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a server reports about itself; None for what it does not report."""

    server: str | None = None  # name and version
    load_s: float | None = None  # loading and warm-up, without the start of the process
    accuracy: float | None = None
    input_name: str | None = None
    input_shape: tuple[int, ...] | None = None  # of one request
    batch_limit: int | None = None  # by a configuration with dynamic batching, as Triton's
    lists_points: bool = False  # that it has operating points
    trouble: str = ""  # why it says so little, as a clause: not ready, no such model


async def ask_facts(endpoint: Endpoint) -> ServerFacts:
    """Ask the server for its metadata, its model's metadata, and its load time."""
    model_path = _INFER.match(endpoint.path)
    server = await _ask_json(endpoint, "/v2")
    model, trouble = await _ask_model(endpoint, model_path["model"]) if model_path else ({}, "")
    name, shape = _input(model.get("inputs"))
    return ServerFacts(
        server=" ".join(str(server[key]) for key in ("name", "version") if key in server) or None,
        load_s=await _ask_load(endpoint),
        accuracy=_accuracy(model),
        input_name=name,
        input_shape=shape,
        batch_limit=await _ask_batch_limit(endpoint, model_path),
        lists_points=bool(_parameters(model).get("points")),
        trouble=trouble,
    )


def ask_arrivals(endpoint: Endpoint) -> float | None:
    """
    Return the number of inference requests that the server has counted, over all variants. Blocks.
    """
    return _sum(_ARRIVALS, _metrics(endpoint))


async def ask_batches(endpoint: Endpoint) -> Mapping[int, float]:
    """
    Return the cumulative number of executions by batch size bound; empty if the server does not
    count them.
    """
    text = await aside(_metrics, endpoint)
    found: dict[int, float] = {}
    for bound, count in _BATCHES.findall(text):
        if float(bound) < math.inf:
            found[int(float(bound))] = found.get(int(float(bound)), 0.0) + float(count)
    return found


async def try_once(endpoint: Endpoint, body: bytes) -> None:
    """
    Send one request and check its answer, so that a wrong request is explained before the load.
    Raises ProfileError with the server's message.
    """
    status, answer = await aside(exchange, endpoint, "POST", endpoint.path, body)
    if 200 <= status < 300 or status in (429, 503):
        return
    raise _wrong(status, answer)


def _wrong(status: int, answer: bytes) -> ProfileError:
    return ProfileError(f"The server answers a request with HTTP {status}: {_said(answer)}.")


def _said(answer: bytes) -> str:
    with suppress(orjson.JSONDecodeError, KeyError, TypeError):
        answer = str(orjson.loads(answer)["error"]).encode()
    return answer.decode(errors="replace")[:300].strip().rstrip(".")


def ask(endpoint: Endpoint, body: bytes) -> bytes:
    """
    Return the answer to one request. Blocks. Raises ProfileError for any status other than 2xx.
    """
    status, answer = exchange(endpoint, "POST", endpoint.path, body)
    if not 200 <= status < 300:
        raise _wrong(status, answer)
    return answer


async def is_ready(endpoint: Endpoint) -> bool:
    """Return whether a server answers there and is ready."""
    try:
        status, _ = await aside(_get, endpoint, wire.READY_PATH)
    except ProfileError:
        return False
    return status == 200


async def _ask_json(endpoint: Endpoint, path: str) -> dict[str, Any]:
    status, answer = await aside(_get, endpoint, path)
    return json_object(answer) if status == 200 else {}


async def _ask_model(endpoint: Endpoint, path: str) -> tuple[dict[str, Any], str]:
    """Return the model's metadata, and the server's message otherwise."""
    status, answer = await aside(_get, endpoint, path)
    if status != 200:
        return {}, f"of its model it says HTTP {status}: {_said(answer)}"
    ready, _ = await aside(_get, endpoint, wire.READY_PATH)
    return json_object(answer), "it is not ready yet" if ready == 503 else ""


def json_object(answer: bytes) -> dict[str, Any]:
    """Parse an answer; empty if it is not a JSON object."""
    with suppress(orjson.JSONDecodeError):
        content = orjson.loads(answer)
        return content if isinstance(content, dict) else {}
    return {}


def model_of(endpoint: Endpoint) -> str | None:
    """Return the model of an infer route, without a version."""
    found = _INFER.match(endpoint.path)
    return found["model"].split("/")[3] if found else None


async def _ask_load(endpoint: Endpoint) -> float | None:
    found = _LOAD_GAUGE.search(await aside(_metrics, endpoint))
    return float(found[1]) or None if found else None


async def _ask_batch_limit(endpoint: Endpoint, model: re.Match[str] | None) -> int | None:
    config = await _ask_json(endpoint, f"{model['model']}/config") if model else {}
    limit = config.get("max_batch_size")
    return limit if "dynamic_batching" in config and isinstance(limit, int) else None


def _metrics(endpoint: Endpoint) -> str:
    """Return the server's metrics, empty if it has none."""
    try:
        status, answer = _get(endpoint, wire.METRICS_PATH)
    except ProfileError:
        return ""
    return answer.decode(errors="replace") if status == 200 else ""


def _sum(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.findall(text)
    return sum(float(each) for each in found) if found else None


def _parameters(model: dict[str, Any]) -> dict[str, Any]:
    parameters = model.get("parameters")
    return parameters if isinstance(parameters, dict) else {}


def _accuracy(model: dict[str, Any]) -> float | None:
    said = _parameters(model).get("accuracy", model.get("accuracy"))
    try:
        accuracy = float(said)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return accuracy if 0 <= accuracy <= 1 else None


def _input(inputs: object) -> tuple[str | None, tuple[int, ...] | None]:
    """Return name and shape of a model's one FP32 input, with a batch of one."""
    if not isinstance(inputs, list) or len(inputs) != 1:
        return None, None
    (only,) = inputs
    try:
        if only["datatype"] != "FP32":
            return None, None
        shape = tuple(1 if int(size) < 0 else int(size) for size in only["shape"])
        return str(only["name"]), shape
    except (TypeError, ValueError, KeyError):
        return None, None


def _get(endpoint: Endpoint, path: str) -> tuple[int, bytes]:
    return exchange(endpoint, "GET", path, None)


def exchange(endpoint: Endpoint, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
    """Return status and answer. Blocks. Raises ProfileError without an answer."""
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=ASK_TIMEOUT_S)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_LIMIT_BYTES)
    except OSError as error:
        where = f"{endpoint.host}:{endpoint.port}"
        reason = error.strerror or "timed out"
        raise ProfileError(f"No server answers at {where}: {reason}.") from error
    except http.client.HTTPException as error:
        raise ProfileError(f"What answers at {endpoint.host} does not speak HTTP.") from error
    finally:
        connection.close()
