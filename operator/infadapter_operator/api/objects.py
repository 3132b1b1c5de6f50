"""
The two kinds of infadapter.io/v1alpha1. The models are the one source of truth: the CRDs are
generated from them (`schema`), and the command line reads files with them without a cluster.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from infadapter_operator.api.fields import DnsLabel, ObjectName
from infadapter_operator.api.model import ApiModel, Rule
from infadapter_operator.api.profiles import VariantProfileSpec, VariantProfileStatus
from infadapter_operator.api.service import InferenceServiceSpec
from infadapter_operator.api.status import InferenceServiceStatus

SERVICE_NAME = "[a-z]([-a-z0-9]*[a-z0-9])?"
"""The bundled router's Service has the name of the object."""


class InvalidObject(ValueError):
    """An object is not what the API takes; one sentence for each field, which it names."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class ObjectMeta(ApiModel):
    """What the project reads of an object's metadata."""

    model_config = ConfigDict(extra="ignore")

    name: ObjectName
    namespace: DnsLabel | None = None
    uid: Annotated[str, Field(max_length=64)] | None = None
    generation: int | None = None
    resource_version: Annotated[str, Field(max_length=64)] | None = None
    deletion_timestamp: Annotated[str, Field(max_length=64)] | None = None
    labels: Mapping[str, str] = Field(default={}, exclude_if=lambda labels: not labels)
    annotations: Mapping[str, str] = Field(default={}, exclude_if=lambda texts: not texts)


class InferenceService(ApiModel):
    """A model service: an SLO, a budget, and the variants that may serve it."""

    api_version: Literal["infadapter.io/v1alpha1"] = "infadapter.io/v1alpha1"
    kind: Literal["InferenceService"] = "InferenceService"
    metadata: ObjectMeta
    spec: InferenceServiceSpec
    status: InferenceServiceStatus | None = None

    rules = (
        Rule(
            holds=lambda s: (
                re.fullmatch(SERVICE_NAME, s.metadata.name) is not None
                and len(s.metadata.name) <= 63
            ),
            cel=f"self.metadata.name.matches('^{SERVICE_NAME}$') && size(self.metadata.name) <= 63",
            message="metadata.name must be a DNS label that begins with a letter, at most 63 long",
        ),
    )


class VariantProfile(ApiModel):
    """The measured capacity, accuracy and load time of one variant."""

    api_version: Literal["infadapter.io/v1alpha1"] = "infadapter.io/v1alpha1"
    kind: Literal["VariantProfile"] = "VariantProfile"
    metadata: ObjectMeta
    spec: VariantProfileSpec
    status: VariantProfileStatus | None = None


Kind = TypeVar("Kind", InferenceService, VariantProfile)


def parse_service(document: Mapping[str, Any]) -> InferenceService:
    """
    From a YAML file or the API server; raises InvalidObject.

    A status that can't be read is no plan, never a reason to leave the service alone.
    """
    try:
        return _parse(InferenceService, document)
    except InvalidObject:
        return _parse(InferenceService, {**document, "status": None})


def parse_profile(document: Mapping[str, Any]) -> VariantProfile:
    """From a YAML file or the API server; raises InvalidObject."""
    return _parse(VariantProfile, document)


def parse_object(document: object) -> InferenceService | VariantProfile:
    """By its kind; raises InvalidObject."""
    if not isinstance(document, Mapping):
        document = {}
    kind = document.get("kind")
    if kind == "InferenceService":
        return parse_service(document)
    if kind == "VariantProfile":
        return parse_profile(document)
    raise InvalidObject(["kind: must be InferenceService or VariantProfile"])


def _parse(model: type[Kind], document: object) -> Kind:
    """Through JSON, as the API server sees it: there a number is never taken for a string."""
    try:
        text = json.dumps(document, default=str, allow_nan=False)
    except ValueError:
        raise InvalidObject(["the object holds NaN, infinity or itself"]) from None
    try:
        return model.model_validate_json(text, by_name=False)
    except ValidationError as invalid:
        raise InvalidObject(_sentences(invalid.errors())) from None


def _sentences(errors: list[ErrorDetails]) -> list[str]:
    """pydantic calls a list too short when an item is wrong; only the item is worth a sentence."""
    paths = [error["loc"] for error in errors]
    return [
        _sentence(error)
        for error in errors
        if error["type"] != "too_short"
        or not any(path[: len(error["loc"])] == error["loc"] != path for path in paths)
    ]


_WORDS = {
    "extra_forbidden": "unknown field",
    "missing": "is required",
    "too_short": "must have at least {min_length} item",
    "too_long": "may have at most {max_length} items",
}


def _sentence(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    path = "".join(_step(part) for part in error["loc"]) + context.get("field", "")
    words = _WORDS.get(error["type"], error["msg"].replace("Input should", "should"))
    sentence = words.format(**context) if error["type"] in _WORDS else words
    return f"{path.lstrip('.')}: {sentence}" if path else sentence


def _step(part: int | str) -> str:
    if isinstance(part, str) and re.fullmatch("[A-Za-z]+", part):
        return f".{part}"
    return f"[{part}]"
