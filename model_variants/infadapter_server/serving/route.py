"""
The inference route as bare ASGI, for requests with large, compressed or slow bodies.

The event loop does not parse large bodies, since it answers probes. All other requests take a
shorter path (`exchange`).
"""

import asyncio
from contextlib import suppress
from functools import partial

from starlette.types import Receive, Scope, Send

from infadapter_server.serving import bodies
from infadapter_server.serving.heads import Head, Names, read_head
from infadapter_server.serving.identity import Identity
from infadapter_server.serving.inference import Admitted, Inference
from infadapter_server.serving.refusal import (
    Cause,
    ClientGone,
    InferenceError,
    Refusal,
    Unserved,
    try_again,
)
from infadapter_server.serving.replies import CLOSE, Reply

__all__ = ["CONNECTION", "infer"]

CONNECTION = "infadapter.connection"
"""Key of the ASGI scope with the connection, which calls `on_gone` when the client has gone."""


async def infer(
    inference: Inference, names: Names, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer one request."""
    arrived_s = inference.begin(asyncio.get_running_loop().time())
    hold = bodies.Hold(inference.budget)
    try:
        reply = await _reply(inference, names, scope, receive, arrived_s, hold)
    except ClientGone:
        return  # nobody is there to be answered
    except Exception as error:  # noqa: BLE001 - a mistake of ours is one request's, and is logged
        reply = inference.refusal(error, arrived_s)
    finally:
        inference.finish(hold)
    await _send(reply, send, draining=inference.draining)
    inference.ended(reply, arrived_s)


async def _send(reply: Reply, send: Send, *, draining: bool) -> None:
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    if draining:
        headers.append(CLOSE)  # moves a router's connections elsewhere
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def _reply(
    inference: Inference,
    names: Names,
    scope: Scope,
    receive: Receive,
    arrived_s: float,
    hold: bodies.Hold,
) -> Reply:
    identity = inference.welcome(*names)
    longest = inference.room(identity)
    connection = scope.get(CONNECTION)
    if connection is not None and connection.spare:
        raise try_again(Cause.CONNECTIONS, "Too many connections are open.")
    head = read_head(scope["headers"])
    began_s, limits = inference.clock(), inference.limits
    within_s = limits.deadlines.of(head.deadline)
    body = await bodies.read(
        receive,
        hold,
        announced=head.length,
        longest=longest,
        within_s=min(limits.body_s, within_s),
    )
    read_s = inference.clock() - began_s
    try:
        admitted = await _admit(inference, identity, head, body, arrived_s, hold)
    except Unserved:
        if read_s > within_s / 2:  # not for want of room here: it doesn't count as refused
            sentence = f"The body took {read_s:.3g} of the {within_s:.3g} seconds there were."
            raise Refusal(408, sentence) from None
        raise
    del body
    await _answered(inference, admitted, scope)
    return inference.reply_to(admitted)


async def _admit(
    inference: Inference,
    identity: Identity,
    head: Head,
    body: bytes,
    arrived_s: float,
    hold: bodies.Hold,
) -> Admitted:
    if head.encoding:
        longest = inference.longest_body(identity)
        body = await inference.parsing.unpacked(body, head.encoding, longest)
        hold.become(len(body))
    question = await inference.parsing.ahead(
        body, head.json_length, identity.signature, inference.limits.batch
    )
    return inference.admit(identity, head, body, arrived_s, hold, question)


async def _answered(inference: Inference, admitted: Admitted, scope: Scope) -> None:
    """Wait for the answer, unless the client goes."""
    connection, ticket = scope.get(CONNECTION), admitted.ticket
    if connection is not None:
        connection.on_gone = partial(inference.driver.leave, ticket)
    try:
        with suppress(InferenceError, Unserved, ClientGone):
            await ticket.answer
    finally:
        inference.driver.leave(ticket)
        if connection is not None:
            connection.on_gone = None
