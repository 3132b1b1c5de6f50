"""
Triton's model repository extension (index, load, unload), independent of a web framework.

https://github.com/triton-inference-server/server (docs/protocol/extension_model_repository.md).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Any, Protocol

import orjson

from infadapter_profiles import wire
from infadapter_server.serving.allowances import Allowances
from infadapter_server.serving.catalogue import Changes
from infadapter_server.serving.config_keys import ConfigError
from infadapter_server.serving.repository import NotServed, Repository

__all__ = ["Granting", "Reply", "RepositoryApi"]

NOW = inf
"""An explicit load is tried at once, even if one has just failed."""

UNLOAD_DEPENDENTS = "unload_dependents"
"""A parameter that clients send with every unload; no model here depends on another."""


class Granting(Protocol):
    """Loads and unloads models on request."""

    async def load(self, name: str) -> None:
        """Wait until the model is in memory. Raises NotServed."""
        ...

    async def unload(self, name: str) -> None:
        """
        Wait until the model is out of memory, after accepted requests are answered. Raises
        NotServed.
        """
        ...

    def changed(self, changes: Changes) -> None:
        """Take over changed files."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `content=None` is an empty body, which means success."""

    status: int = 200
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class RepositoryApi:
    """Each method takes a request's body and always returns a reply."""

    def __init__(self, repository: Repository, wishes: Granting, allowances: Allowances) -> None:
        self._repository, self._wishes, self._allowances = repository, wishes, allowances
        self._reading = asyncio.Lock()

    async def index(self, body: bytes) -> Reply:
        """Read the files again, so that a new model or version is seen, and return the index."""
        try:
            content = _object(body, "ready")
            ready = content.get("ready", False)
            if not isinstance(ready, bool):
                raise NotServed(400, "The field ready must be true or false.")
            await self._read_again()
        except NotServed as refused:
            return _refusal(refused)
        return Reply(content=self._repository.index(ready=ready))

    async def load(self, name: str, body: bytes) -> Reply:
        """Read the files again and load the model; one in memory with an unchanged file stays."""
        try:
            _no_parameters(_object(body, "parameters"))
            await self._read_again()
            self._repository.resolve(name, None, NOW)
            await self._wishes.load(name)
        except NotServed as refused:
            return _refusal(refused)
        return Reply()

    async def unload(self, name: str, body: bytes) -> Reply:
        """Unload a model; one that isn't in memory counts as unloaded."""
        try:
            _no_parameters(_object(body, "parameters"), UNLOAD_DEPENDENTS)
            self._repository.resolve(name, None, NOW)
            await self._wishes.unload(name)
        except NotServed as refused:
            return _refusal(refused)
        return Reply()

    async def points(self, name: str, body: bytes) -> Reply:
        """
        Set the allowed operating points and the accuracy floor (not part of Triton's protocol).
        """
        try:
            self._check_points(name)
            content = _object(body, "allowed", "floor")
            self._allowances.allow(name, _allowed(content), _floor(content))
        except NotServed as refused:
            return _refusal(refused)
        return Reply(content=self._allowances.described(name))

    async def allowed_points(self, name: str) -> Reply:
        try:
            self._check_points(name)
        except NotServed as refused:
            return _refusal(refused)
        return Reply(content=self._allowances.described(name))

    def _check_points(self, name: str) -> None:
        self._repository.resolve(name, None, NOW)
        if self._allowances.points(name):
            return
        if not self._repository.standing(name).there:
            raise NotServed(503, f"The points of {name} are known once it is loaded.", 1.0)
        raise NotServed(400, f"{name} has no operating points.")

    async def _read_again(self) -> None:
        async with self._reading:
            try:
                found = await asyncio.to_thread(self._repository.read)
            except ConfigError as error:
                raise NotServed(500, str(error)) from None
            self._wishes.changed(self._repository.take(found))


def _object(body: bytes, *fields: str) -> Mapping[str, Any]:
    try:
        content = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as error:
        raise NotServed(400, f"The body is not JSON: {error}.") from None
    if not isinstance(content, dict):
        raise NotServed(400, "The body must be a JSON object.")
    for key in content:
        if key not in fields:
            there = ", ".join(fields)
            raise NotServed(400, f"The field {key[:80]!r} is unknown; there is {there}.")
    return content


def _allowed(content: Mapping[str, Any]) -> tuple[str, ...] | None:
    allowed = content.get("allowed")
    if allowed is None:
        return None
    if not isinstance(allowed, list) or not allowed or not all(isinstance(x, str) for x in allowed):
        raise NotServed(400, "The field allowed must be a list of points, or null for all.")
    return tuple(allowed)


def _floor(content: Mapping[str, Any]) -> float:
    floor = content.get("floor", 0.0)
    if isinstance(floor, bool) or not isinstance(floor, int | float) or not 0 <= floor <= 1:
        raise NotServed(400, "The field floor must be a fraction from 0 to 1.")
    return float(floor)


def _no_parameters(content: Mapping[str, Any], *ignored: str) -> None:
    parameters = content.get("parameters", {})
    if not isinstance(parameters, dict):
        raise NotServed(400, "The field parameters must be an object.")
    for key in parameters:
        if key not in ignored:
            raise NotServed(
                400,
                f"The parameter {key[:80]!r} has no effect here: models are configured by files.",
            )


def _refusal(refused: NotServed) -> Reply:
    after_s = refused.retry_after_s
    headers = {} if after_s is None else {wire.RETRY_AFTER_HEADER: str(max(1, ceil(after_s)))}
    return Reply(refused.status, {"error": str(refused)}, headers)
