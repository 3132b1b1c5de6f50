"""What a network of others answers, held to what its signature says."""

from infadapter_server.networks.signatures import Signature

__all__ = ["LONGEST_CAUSE", "Misfit", "check_answer"]

LONGEST_CAUSE = 200


class Misfit(RuntimeError):
    """The network doesn't compute what its signature says; the message says what it does."""


def check_answer(
    shape: tuple[int, ...], kind: str, given: tuple[int, ...], signature: Signature
) -> None:
    """`given` is the input's shape. Raises Misfit."""
    wanted = [given[0], *signature.output_shape]
    if list(shape) != wanted or kind != "float32":
        raise Misfit(
            f"for the input {list(given)} it answers {kind} {list(shape)}, and not float32 {wanted}"
        )
