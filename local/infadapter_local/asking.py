"""Short questions to what runs on this machine."""

import aiohttp


def short_session() -> aiohttp.ClientSession:
    """A session whose questions are answered within a second, or not."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0))


async def says_ok(session: aiohttp.ClientSession, url: str) -> bool:
    """Tell whether a GET is answered with 200."""
    try:
        async with session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
