"""Where requests go: an http:// URL taken apart, once."""

from dataclasses import dataclass
from urllib.parse import urlsplit


class UrlError(ValueError):
    """A URL that cannot be asked; the message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    host: str
    port: int
    path: str  # with the query, if there is one


def parse_url(url: str) -> Endpoint:
    """Take http://HOST[:PORT]/PATH apart.

    Raises UrlError for anything else: encryption would cost the generator its precision.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise UrlError(f"{url!r} is not a URL: {error}.") from error
    if parts.scheme != "http" or not parts.hostname:
        raise UrlError(f"The URL must begin with http:// and name a host, unlike {url!r}.")
    if not _is_name(parts.hostname):
        raise UrlError(f"{parts.hostname!r} is no name that a host can have.")
    if parts.username is not None:
        raise UrlError("The URL must not hold a user name or password.")
    path = parts.path or "/"
    if not path.isascii() or not path.isprintable() or " " in url:
        raise UrlError(f"The URL's path must be percent-encoded, unlike {url!r}.")
    query = f"?{parts.query}" if parts.query else ""
    return Endpoint(host=parts.hostname, port=port, path=path + query)


def _is_name(host: str) -> bool:
    """Judge as the look-up will, which raises no OSError for a name such as a..b."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True
