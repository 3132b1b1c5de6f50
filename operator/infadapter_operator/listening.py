"""Serve an aiohttp application at an address."""

from aiohttp import web


async def listen(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """
    Return the runner, whose `cleanup` ends the server, and its port (`port` 0: any free port).
    Raises OSError.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    address: tuple[str, int] = runner.addresses[0]
    return runner, address[1]
