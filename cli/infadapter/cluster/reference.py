"""Parse the reference of what is cloned, as in kubectl: TYPE/NAME."""

import re
from dataclasses import dataclass

_NAME = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_SHAPE = re.compile(
    rf"(?:deployments?|deploy)/(?P<deployment>{_NAME})"
    rf"|(?:inferenceservices?|infsvc)/(?P<service>{_NAME}):(?P<variant>{_NAME})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A Deployment, or a variant of an InferenceService."""

    name: str
    variant: str | None = None

    def __str__(self) -> str:
        return (
            f"deployment/{self.name}" if not self.variant else f"infsvc/{self.name}:{self.variant}"
        )


def parse_reference(text: str) -> Reference:
    """Parse a reference. Raises ValueError."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is neither deployment/NAME nor infsvc/NAME:VARIANT.")
    if found["deployment"]:
        return Reference(name=found["deployment"])
    return Reference(name=found["service"], variant=found["variant"])
