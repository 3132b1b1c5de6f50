"""Reasons why nothing can be measured in a cluster, with the command's exit status."""

from infadapter_operator.kube.refusal import ApiRefusal

BAD_INPUT, NOT_MEASURED = 2, 3
_ROLE = "manifests/examples/profiler.yaml is the Role that this takes"


class CannotProfile(Exception):
    """The message is one sentence that says what to do."""

    def __init__(self, message: str, status: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.status = status


def refused(refusal: ApiRefusal) -> CannotProfile:
    said = " ".join(refusal.message.split()).rstrip(".")
    if refusal.is_quota:
        return CannotProfile(f"The namespace has no room for it: {said}.", NOT_MEASURED)
    if refusal.status == 403:
        return CannotProfile(f"The API server forbids it: {said}; {_ROLE}.")
    return CannotProfile(f"The API server refuses it: {said}.")
