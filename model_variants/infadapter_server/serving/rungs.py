"""The rungs of a ladder: ordinary networks that a configuration combines into one model."""

from dataclasses import dataclass, replace
from pathlib import Path

from infadapter_server.networks.notes import measured
from infadapter_server.networks.signatures import SIGNATURES, SUPERNET, Signature
from infadapter_server.networks.stored import Format, Stored
from infadapter_server.serving.config_keys import ConfigError, Rung

__all__ = ["Rungs", "ladder_signature", "stored_rungs"]


@dataclass(frozen=True, slots=True)
class Rungs:
    """The rungs as stored, and their files, whose change makes another model."""

    stored: tuple[Stored, ...]
    files: tuple[Path, ...]


def ladder_signature(ladder: tuple[Rung, ...], said: Signature | None) -> Signature:
    """Return the signature of its variants, or the configured one. Raises ConfigError."""
    known = {rung.variant: SIGNATURES[rung.variant] for rung in ladder if rung.variant}
    if SUPERNET in known:
        raise ConfigError(f"{SUPERNET} has operating points already: serve it without a ladder.")
    if said is not None and known:
        raise ConfigError(f"input and output are those of {next(iter(known))}: leave them out.")
    if len(set(known.values())) > 1:
        first, *others = known
        other = next(each for each in others if known[each] != known[first])
        raise ConfigError(
            f"{first} and {other} take or give different tensors: a ladder is of one task."
        )
    signature = said or next(iter(known.values()), None)
    if signature is None:
        raise ConfigError("name and shape of input and output are missing, for all of the ladder.")
    return signature


def stored_rungs(
    ladder: tuple[Rung, ...], signature: Signature, folder: Path, version: str
) -> Rungs:
    """
    Return the rungs; `folder` is the version's, which contains their files. Raises ConfigError.
    """
    plain = Stored(
        name="", version=version, format=Format.VARIANT, signature=signature, batch_sizes=(1,)
    )
    files = tuple(folder / rung.file for rung in ladder if rung.file)
    for file in files:
        if not file.is_file():
            raise ConfigError(f"{folder} has no {file.name}, which the ladder names.")
    return Rungs(tuple(_stored(rung, plain, folder) for rung in ladder), files)


def _stored(rung: Rung, plain: Stored, folder: Path) -> Stored:
    if rung.variant:
        accuracy = measured().get(rung.variant, {}).get("accuracy")
        if accuracy is None:
            raise ConfigError(
                f"no weights of {rung.name} ship with the server: name a file of it, as "
                f"{{name: {rung.name}, file: {rung.name}.pt, accuracy: 0.7}}, and input and output."
            )
        return replace(plain, name=rung.name, variant=rung.variant, accuracy=accuracy)
    form = Format.EXPORT if rung.file.endswith(".pt2") else Format.TORCHSCRIPT
    file = str(folder / rung.file)
    return replace(plain, name=rung.name, format=form, file=file, accuracy=rung.accuracy)
