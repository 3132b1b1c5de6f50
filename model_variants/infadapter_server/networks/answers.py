"""Check the answers of users' networks against their signature."""

from infadapter_server.networks.signatures import Signature

__all__ = ["LONGEST_CAUSE", "Misfit", "check_answer"]

LONGEST_CAUSE = 200


class Misfit(RuntimeError):
    """The network's answer contradicts its signature; the message says how."""


def check_answer(
    shape: tuple[int, ...], kind: str, given: tuple[int, ...], signature: Signature
) -> None:
    """Raise Misfit unless an answer fits the signature; `given` is the input's shape."""
    wanted = [given[0], *signature.output_shape]
    if list(shape) != wanted or kind != "float32":
        raise Misfit(
            f"for the input {list(given)} it answers {kind} {list(shape)}, and not float32 {wanted}"
        )
