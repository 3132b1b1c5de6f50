"""
A Kubernetes watch that survives every failure and misses no deletion.

kopf ends the operator when a watch or list fails for longer than its own retries, answers with an
error event (other than 410) or with something that is not JSON. And after a new list it does not
report objects that are gone. The loops need nothing from a watch but news, and a restarted process
would only wait for the same list. kopf has no setting for either, so its function is wrapped. Tests
run against the installed version, and `pyproject.toml` bounds it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import kopf
from kopf._cogs.clients import watching
from kopf._cogs.clients.watching import Bookmark
from kopf._cogs.structs.references import Resource

from infadapter_operator.recurring import Recurring
from infadapter_profiles.backoff import backoff_s

AGAIN_FIRST_S, AGAIN_MOST_S = 1.0, 30.0
LASTED_S = 60.0
"""A watch that fails after this time (s) counts as having worked."""

CONTINUOUS_WATCH = watching.continuous_watch
"""kopf's own function: a list and the watch that follows it."""

Json = dict[str, Any]
Events = AsyncIterator[Any]
"""Raw events, with kopf's bookmark at the end of the initial list."""

_UNKNOWN = (
    "The API server rejects the credentials (401), and logging in again did not help: the"
    " operator exits, and reads its credentials again when it is restarted."
)
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Kind:
    """One kind in one namespace: the known objects by uid, and the failures of its watch."""

    trouble: Recurring
    failures: int = 0
    known: dict[str, Json] = field(default_factory=dict)

    def note(self, event: Json) -> None:
        made = event["object"]
        if (uid := made["metadata"].get("uid")) is None:
            return
        if event["type"] == "DELETED":
            self.known.pop(uid, None)
        else:
            self.known[uid] = made


class LastingWatch:
    """The wrapped watch. `is_gone` asks whether no object of this uid exists at a path."""

    def __init__(
        self,
        watch: Callable[..., Events],
        is_gone: Callable[[str, str], Awaitable[bool]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch, self._is_gone, self._clock = watch, is_gone, clock
        self._kinds: dict[tuple[Resource, str | None], _Kind] = {}
        self.unknown = asyncio.Event()
        """Set when the API server rejects the credentials (401). kopf then never watches again."""

    async def __call__(
        self, *, resource: Resource, namespace: str | None, **options: Any
    ) -> Events:
        """Yield events like kopf's own watch, which ends when the list has to be fetched again."""
        kind, began_s = self._kind(resource, namespace), self._clock()
        try:
            events = self._watch(resource=resource, namespace=namespace, **options)
            async for event in self._with_deletions(kind, resource, events):
                yield event
        except kopf.LoginError:
            if not self.unknown.is_set():
                _logger.error(_UNKNOWN)
            self.unknown.set()
            await asyncio.Event().wait()  # until it has ended
        except Exception as error:  # noqa: BLE001 - known objects stay known after any error
            await self._pause(kind, error, began_s)

    async def _with_deletions(self, kind: _Kind, resource: Resource, events: Events) -> Events:
        listed: set[str | None] = set()
        is_whole = False
        async for event in events:
            if event is Bookmark.LISTED:
                is_whole = True
                for gone in await self._gone(kind, resource, listed):
                    kind.note(gone)
                    yield gone
            else:
                kind.note(event)
                listed.add(event["object"]["metadata"].get("uid"))
            kind.trouble.recovers()
            yield event
        if not is_whole:
            raise TimeoutError("the API server did not answer with a list")

    async def _gone(self, kind: _Kind, resource: Resource, listed: set[str | None]) -> list[Json]:
        """
        Return deletion events for known objects that a list lacks. Each is checked by a request of
        its own, because a broken answer may look like an empty list.
        """
        missing = {uid: made for uid, made in kind.known.items() if uid not in listed}
        return [
            {"type": "DELETED", "object": made}
            for uid, made in missing.items()
            if await self._is_gone(_path(resource, made["metadata"]), uid)
        ]

    async def _pause(self, kind: _Kind, error: Exception, began_s: float) -> None:
        kind.failures = 1 if self._clock() - began_s >= LASTED_S else kind.failures + 1
        told = repr(error)[:200]
        kind.trouble.fails(f"{told}; known services continue")
        await asyncio.sleep(backoff_s(AGAIN_FIRST_S, kind.failures, AGAIN_MOST_S))

    def _kind(self, resource: Resource, namespace: str | None) -> _Kind:
        where = f" in {namespace}" if namespace else ""
        trouble = Recurring(_logger, f"The watch of {resource.plural}{where}", self._clock)
        return self._kinds.setdefault((resource, namespace), _Kind(trouble))


def _path(resource: Resource, metadata: Json) -> str:
    return resource.get_url(namespace=metadata.get("namespace"), name=metadata["name"])


def watch_by(watch: LastingWatch) -> None:
    """Make kopf use this watch for all kinds."""
    watching.continuous_watch = watch
