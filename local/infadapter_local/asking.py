"""Short HTTP requests to processes on this machine."""

import aiohttp


def short_session() -> aiohttp.ClientSession:
    """Return a session with a time-out of one second."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0))


async def says_ok(session: aiohttp.ClientSession, url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        async with session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
