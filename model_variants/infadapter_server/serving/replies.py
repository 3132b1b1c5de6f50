"""Answers and refusals of inference requests, as bytes and headers."""

from functools import lru_cache
from typing import NamedTuple

import orjson

from infadapter_profiles import wire
from infadapter_server.networks.signatures import Floats
from infadapter_server.serving import protocol
from infadapter_server.serving.identity import Identity
from infadapter_server.serving.protocol import Question
from infadapter_server.serving.refusal import Refusal, Unserved, try_again, whole_seconds
from infadapter_server.serving.tickets import Ticket

__all__ = [
    "CLOSE",
    "JSON_LENGTH",
    "Header",
    "Reply",
    "answer",
    "refusal_of",
    "refused",
    "unserved_reply",
]

Header = tuple[bytes, bytes]

CLOSE: Header = (b"connection", b"close")
JSON_LENGTH = b"inference-header-content-length"
_VARIANT = wire.VARIANT_HEADER.encode()
_JSON_TYPE = (b"content-type", b"application/json")
_BYTES_TYPE = (b"content-type", b"application/octet-stream")
_SENTENCES = {
    "loading": "The model is still loading.",
    "failing": "The model fails at whatever it is given.",
    "no_time": "It would be answered too late.",
    "no_point": "No operating point that is allowed now is as accurate as it asks.",
    "no_memory": "Its model isn't loaded, and can't be in time.",
    "no_executor": "Nothing is there that could compute it.",
    "given_up": "It was accepted, but what ran before took longer than expected.",
    "executor_left": "What was to compute it was lost.",
}


class Reply(NamedTuple):
    status: int
    body: bytes
    headers: tuple[Header, ...]
    ticket: Ticket | None = None


def answer(result: Floats, question: Question, identity: Identity, ticket: Ticket) -> Reply:
    encoded = protocol.encode(
        result,
        question,
        identity.signature,
        model=identity.model,
        version=identity.variant,
        point=ticket.point,
    )
    variant = (_VARIANT, identity.variant.encode())
    if encoded.json_bytes is None:
        return Reply(200, encoded.body, (variant, _JSON_TYPE), ticket)
    length = (JSON_LENGTH, b"%d" % encoded.json_bytes)
    return Reply(200, encoded.body, (variant, _BYTES_TYPE, length), ticket)


def refused(refusal: Refusal, variant: str) -> Reply:
    given = [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
    headers = ((_VARIANT, variant.encode()), _JSON_TYPE, *given)
    return Reply(refusal.status, orjson.dumps({"error": str(refusal)}), headers)


def unserved_reply(unserved: Unserved, variant: str) -> Reply:
    """Return the reply of `refusal_of`, cached by reason and number of seconds."""
    after_s = unserved.retry_after_s
    seconds = wire.RETRY_AFTER_S if after_s <= wire.RETRY_AFTER_S else whole_seconds(after_s)
    return _unserved(unserved.reason, seconds, variant)


@lru_cache(256)
def _unserved(reason: str, after_s: int, variant: str) -> Reply:
    return refused(refusal_of(Unserved(reason, after_s)), variant)


def refusal_of(unserved: Unserved) -> Refusal:
    reason = unserved.reason
    refusal = try_again(reason, _SENTENCES.get(reason, reason), unserved.retry_after_s)
    if unserved.accepted:
        refusal.reason = ""  # counted as late or cancelled
    return refusal
