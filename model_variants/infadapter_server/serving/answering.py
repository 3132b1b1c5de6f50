"""
Answer a request that a front end has parsed, from its arrival to the network's output.

REST has a shorter path in `inference`, which can refuse before parsing. Both share the driver, its
limits and the metrics.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from infadapter_scheduler.points import Point
from infadapter_server.networks.signatures import Floats
from infadapter_server.serving import bodies
from infadapter_server.serving.floors import floor_of
from infadapter_server.serving.identity import Identity
from infadapter_server.serving.inference import Inference
from infadapter_server.serving.protocol import BadTensor, Question
from infadapter_server.serving.refusal import InferenceError, Refusal, Unserved, inference_failed
from infadapter_server.serving.replies import refusal_of

__all__ = ["Answering", "Asked", "Given"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request: the names in it, a function that parses it, and its deadline."""

    model: str
    version: str | None
    read: Callable[[Identity], Question]  # raises BadTensor
    deadline: bytes | None  # as the header infadapter-deadline-ms says
    floor: bytes | None  # as the header infadapter-accuracy-floor says
    remaining_s: float | None  # as the transport says


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The network's output and the parsed request."""

    result: Floats
    question: Question
    identity: Identity
    point: Point | None  # that answered, of a network that has such


class Answering:
    """Passes requests to the driver of an inference route, which enforces limits and counts."""

    def __init__(self, inference: Inference) -> None:
        self.inference = inference

    async def __call__(self, asked: Asked) -> Given:
        """Answer one request. Raises Refusal, which has been counted."""
        inference = self.inference
        arrived_s = inference.begin(inference.clock())
        hold = bodies.Hold(inference.budget)
        try:
            given = await self._answer(asked, arrived_s, hold)
        except Refusal as refusal:
            inference.count_refused(refusal.reason, arrived_s)
            inference.metrics.count(refusal.status)
            raise
        finally:
            inference.finish(hold)
        inference.metrics.count(200)
        inference.metrics.latency_seconds.observe(inference.clock() - arrived_s)
        return given

    async def _answer(self, asked: Asked, arrived_s: float, hold: bodies.Hold) -> Given:
        inference = self.inference
        identity = inference.welcome(asked.model, asked.version)
        inference.room(identity)
        try:
            question = asked.read(identity)
            within_s = self._within_s(asked, question)
            hold.become(question.batch.nbytes)
            ticket = inference.driver.ask(
                identity.model,
                arrived_s,
                within_s,
                lambda: question.batch,
                floor_of(asked.floor, question.accuracy_floor),
            )
        except BadTensor as error:
            raise Refusal(400, str(error)) from None
        except Unserved as unserved:
            raise refusal_of(unserved) from None
        try:
            # A call that is cancelled would cancel the future too, and nobody would know who left.
            result = await asyncio.shield(ticket.answer)
        except InferenceError:
            raise inference_failed() from None
        except Unserved as unserved:
            raise refusal_of(unserved) from None
        finally:
            inference.driver.leave(ticket)  # if whoever asked has gone
        inference.driver.answered(ticket)
        return Given(result=result, question=question, identity=identity, point=ticket.point)

    def _within_s(self, asked: Asked, question: Question) -> float:
        deadlines = self.inference.limits.deadlines
        within_s = deadlines.within(asked.deadline, question.timeout_us)
        return within_s if asked.remaining_s is None else min(within_s, asked.remaining_s)
