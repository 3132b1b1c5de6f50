"""Blocking requests in threads that the event loop does not join."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import ParamSpec, TypeVar

__all__ = ["aside"]

Given = ParamSpec("Given")
Found = TypeVar("Found")


async def aside(ask: Callable[Given, Found], *given: Given.args, **named: Given.kwargs) -> Found:
    """
    Run a blocking function in a thread, like asyncio.to_thread. The loop joins the threads of that
    one when it ends, so after Ctrl-C it waited for a server that never answers until the request
    timed out.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Found] = loop.create_future()

    def tell(found: Callable[[], Found]) -> None:
        if answered.done():
            return  # who asked has gone
        try:
            answered.set_result(found())
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            answered.set_exception(error)

    def work() -> None:
        found: Future[Found] = Future()
        try:
            found.set_result(ask(*given, **named))
        except Exception as error:  # noqa: BLE001 - as above
            found.set_exception(error)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, found.result)

    Thread(target=work, name="aside", daemon=True).start()
    return await answered
