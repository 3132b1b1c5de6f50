"""An application that answers at an address until it is stopped."""

from aiohttp import web


async def listen(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Its runner, whose `cleanup` ends it, and its port (`port` 0: any that is free)."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    address: tuple[str, int] = runner.addresses[0]
    return runner, address[1]
