"""
Credentials for Prometheus: a bearer token, headers and certificates, in files except for tenant
headers.

Files are read again for every query. Service account tokens are replaced within the hour and
Secrets when somebody rotates them, and a client that keeps the first one is refused from then on.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from infadapter_profiles.regular import regular_bytes

MOST_BYTES = 65_536
MOST_HEADERS = 32
LEAST_HIDDEN = 4
"""Shorter values are no secrets, and would be found in any text."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


class CredentialsUnreadable(Exception):
    """No query was made. The message names the file, but nothing of its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Where the credentials are: file paths, each empty if there is none."""

    token_file: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers_folder: str = ""
    """A folder with one file per header, named after it, which is how a Secret is mounted."""
    ca_file: str = ""
    """Replaces the default certificate authorities."""
    certificate_file: str = ""
    key_file: str = ""
    """Empty if the key is in the certificate's file."""

    @property
    def identify(self) -> bool:
        """Whether they give access to more than an anonymous client may read."""
        named = (self.token_file, self.headers, self.headers_folder, self.certificate_file)
        return any(named)

    def headers_now(self) -> dict[str, str]:
        """Return all headers. Raises CredentialsUnreadable."""
        return {**self.headers, **self.secrets_now()}

    def secrets_now(self) -> dict[str, str]:
        """Return the secret headers. Raises CredentialsUnreadable."""
        secrets = {path.name: read(path) for path in self._header_files()}
        if self.token_file:
            secrets["Authorization"] = f"Bearer {read(Path(self.token_file))}"
        return secrets

    def _header_files(self) -> Iterator[Path]:
        """
        Yield the header files. Kubernetes keeps folders of its own beside them, whose names begin
        with dots.
        """
        if not self.headers_folder:
            return
        folder = Path(self.headers_folder)
        try:
            names = sorted(islice((e.name for e in os.scandir(folder) if e.is_file()), 1000))
        except OSError as error:
            raise CredentialsUnreadable(
                f"the headers in {folder} can't be read: {error.strerror}"
            ) from None
        headers = [name for name in names if not name.startswith(".")]
        if len(headers) > MOST_HEADERS or not all(map(_NAME.fullmatch, headers)):
            raise CredentialsUnreadable(
                f"{folder} must hold at most {MOST_HEADERS} files, each with the name of a header"
            )
        yield from (folder / name for name in headers)


def read(path: Path) -> str:
    """Return the stripped content of a file as a header value. Raises CredentialsUnreadable."""
    try:
        content = regular_bytes(path, MOST_BYTES)
    except OSError as error:
        raise CredentialsUnreadable(f"{path} can't be read: {error.strerror}") from None
    text = content.decode("ascii", "replace").strip()
    if not _VALUE.fullmatch(text):
        raise CredentialsUnreadable(
            f"{path} must hold one line of printable characters, as a header's value"
        )
    return text


def refuse_pipe(path: Path) -> None:
    """
    Raise CredentialsUnreadable for a pipe or device, on which OpenSSL would wait for ever. A
    missing file is left to OpenSSL, which names it; a folder may hold authorities.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise CredentialsUnreadable(f"{path} is no regular file: put one there")


def is_header(name: str, value: str) -> bool:
    return bool(_NAME.fullmatch(name) and _VALUE.fullmatch(value))


def hidden(text: str, secrets: Mapping[str, str]) -> str:
    """Return the text with secrets masked, since a server may repeat what it was sent."""
    words = {word for value in secrets.values() for word in (value, *value.split())}
    for word in sorted(words - {"Bearer", "Basic"}, key=len, reverse=True):
        if len(word) >= LEAST_HIDDEN:
            text = text.replace(word, "…")
    return text
