"""
Typed access to environment variables. An unusable value raises InvalidSetting with a sentence.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from infadapter_profiles.quantities import InvalidQuantity, cpu_millicores
from infadapter_profiles.variables import PREFIX, unread

Number = TypeVar("Number", int, float)
_HOST_NAME = "[0-9A-Za-z]([-_.0-9A-Za-z]*[0-9A-Za-z])?"


class InvalidSetting(ValueError):
    """A setting is unusable; the message names the variable, its value and what it must be."""


@dataclass(frozen=True, slots=True)
class Environment:
    """
    Environment variables. An empty one counts as absent, because charts render absent values that
    way.
    """

    variables: Mapping[str, str]
    _read: set[str] = field(default_factory=set)

    def ignored(self) -> tuple[str, ...]:
        """
        Return a sentence for each of our variables that was not read. Call it after all others were
        read.
        """
        return unread(self.variables, self._read)

    def text(self, name: str, default: str) -> str:
        self._read.add(PREFIX + name)
        return self.variables.get(PREFIX + name, "").strip() or default

    def words(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.text(name, "").replace(",", " ").split()) or default

    def command(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return words, or the items of a JSON list if a word contains spaces."""
        text = self.text(name, "")
        if not text.startswith("["):
            return self.words(name, default)
        try:
            words = json.loads(text)
        except ValueError:
            words = None
        if not (isinstance(words, list) and words and all(isinstance(w, str) for w in words)):
            raise InvalidSetting(f"{PREFIX}{name} is {text!r}; it must be a JSON list of strings")
        return tuple(words)

    def seconds(self, name: str, least: float, most: float, default: float) -> float:
        return self._number(name, float, least, most, default)

    def number(self, name: str, least: float, most: float, default: float) -> float:
        return self._number(name, float, least, most, default)

    def port(self, name: str, default: int) -> int:
        return self._number(name, int, 1, 65535, default)

    def url(self, name: str, default: str) -> str:
        text = self.text(name, default)
        if not text.startswith(("http://", "https://")):
            raise InvalidSetting(
                f"{PREFIX}{name} is {text!r}; it must begin with http:// or https://"
            )
        if not _names_a_host(text):  # the part before an @ is secret
            raise InvalidSetting(
                f"{PREFIX}{name} is {text.rpartition('@')[2]!r}; it must name a host, and a port"
                " from 1 to 65535 if any, such as http://prometheus:9090"
            )
        return text.rstrip("/")

    def host(self, name: str, default: str) -> str:
        text = self.text(name, default)
        if not re.fullmatch(_HOST_NAME, text) and not _is_address(text):
            raise InvalidSetting(
                f"{PREFIX}{name} is {text!r}; it must be a host's name or address, without scheme"
                " and port, such as infadapter.infadapter-system.svc"
            )
        return text

    def cpu(self, name: str, default: str) -> str:
        text = self.text(name, default)
        try:
            is_some = cpu_millicores(text) > 0
        except InvalidQuantity:
            is_some = False
        if not is_some:
            raise InvalidSetting(
                f"{PREFIX}{name} is {text!r}; it must be CPU above 0, such as 1 or 250m"
            )
        return text

    def mapping(self, name: str) -> Mapping[str, Any]:
        text = self.text(name, "{}")
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise InvalidSetting(f"{PREFIX}{name} is {text!r}; it must be a JSON object")
        return value

    def _number(
        self, name: str, kind: Callable[[str], Number], least: float, most: float, default: Number
    ) -> Number:
        text = self.text(name, str(default))
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise InvalidSetting(
                f"{PREFIX}{name} is {text!r}; it must be a number from {least:g} to {most:g}"
            )
        return value


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _names_a_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
