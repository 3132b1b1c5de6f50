"""
Triton's model repository extension: index, load and unload, as values without a web framework.

https://github.com/triton-inference-server/server (docs/protocol/extension_model_repository.md).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Any, Protocol

import orjson

from infadapter_profiles import wire
from infadapter_server.serving.config_keys import ConfigError
from infadapter_server.serving.repository import Changes, NotServed, Repository

__all__ = ["Reply", "RepositoryApi", "Residence"]

NOW = inf
"""Who asks for a load means it, however lately one has failed."""

UNLOAD_DEPENDENTS = "unload_dependents"
"""What clients send with every unload; nothing of ours depends on another model."""


class Residence(Protocol):
    """Who has models loaded and unloaded: the driver of the scheduler."""

    async def load(self, name: str) -> None:
        """Until it is in memory. Raises NotServed."""
        ...

    async def unload(self, name: str) -> None:
        """Until it is out of memory, after the answers to what was accepted. Raises NotServed."""
        ...

    def changed(self, changes: Changes) -> None:
        """The files are others than before."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """`content` None: an empty body, which is what success looks like."""

    status: int = 200
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class RepositoryApi:
    """Each method takes a request's body, and always has a reply."""

    def __init__(self, repository: Repository, residence: Residence) -> None:
        self._repository, self._residence = repository, residence
        self._reading = asyncio.Lock()

    async def index(self, body: bytes) -> Reply:
        """The files are read again, so that a new model or version is seen."""
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
        """The files are read again; a model in memory whose file is the same stays."""
        try:
            _no_parameters(_object(body, "parameters"))
            await self._read_again()
            self._repository.resolve(name, None, NOW)
            await self._residence.load(name)
        except NotServed as refused:
            return _refusal(refused)
        return Reply()

    async def unload(self, name: str, body: bytes) -> Reply:
        """A model that isn't in memory is unloaded already."""
        try:
            _no_parameters(_object(body, "parameters"), UNLOAD_DEPENDENTS)
            self._repository.resolve(name, None, NOW)
            await self._residence.unload(name)
        except NotServed as refused:
            return _refusal(refused)
        return Reply()

    async def _read_again(self) -> None:
        async with self._reading:
            try:
                found = await asyncio.to_thread(self._repository.read)
            except ConfigError as error:
                raise NotServed(500, str(error)) from None
            self._residence.changed(self._repository.take(found))


def _object(body: bytes, *fields: str) -> Mapping[str, Any]:
    try:
        content = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as error:
        raise NotServed(400, f"The body is not JSON: {error}.") from None
    if not isinstance(content, dict):
        raise NotServed(400, "The body must be a JSON object.")
    for key in content:
        if key not in fields:
            raise NotServed(400, f"The field {key[:80]!r} is unknown; there is {fields[0]}.")
    return content


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
