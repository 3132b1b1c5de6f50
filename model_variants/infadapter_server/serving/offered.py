"""The models of a repository as routes see them: served, or refused with a reason."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from infadapter_profiles import wire
from infadapter_server.networks.stored import Format
from infadapter_server.serving.identity import Identity
from infadapter_server.serving.layout import Found
from infadapter_server.serving.oip.metadata import ONNX, PYTORCH
from infadapter_server.serving.refusal import Cause, Refusal, try_again
from infadapter_server.serving.repository import NotServed, Repository

__all__ = ["Offered"]

UNKNOWN = 404


@dataclass(frozen=True, slots=True)
class Offered(Mapping[str, Identity]):
    """Models by name. Looking up a known model that can't be served raises Refusal."""

    repository: Repository
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[Found, Identity]] = field(default_factory=dict, init=False)

    def __getitem__(self, name: str) -> Identity:
        try:
            found = self.repository.resolve(name, None, self.clock())
        except NotServed as refused:
            if refused.status == UNKNOWN:
                raise KeyError(name) from None
            if refused.status == wire.REFUSED_STATUS:
                after_s = refused.retry_after_s or 0.0
                raise try_again(Cause.FAILING, str(refused), after_s) from None
            raise Refusal(refused.status, str(refused)) from None
        known = self._known.get(name)
        if known is None or known[0] is not found:  # its files have changed
            known = self._known[name] = found, _identity(name, found)
        return known[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self.repository.models())

    def __len__(self) -> int:
        return len(self.repository.models())


def _identity(name: str, found: Found) -> Identity:
    return Identity(
        variant=found.stored.version,
        model=name,
        signature=found.stored.signature,
        platform=ONNX if found.stored.format is Format.ONNX else PYTORCH,
        accuracy=found.config.accuracy,
    )
