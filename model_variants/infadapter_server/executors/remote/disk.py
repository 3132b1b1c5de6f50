"""What a worker may load: files below its own folder, and the shipped networks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from infadapter_server.executors.opening import Loaded, Opener
from infadapter_server.networks.notes import WEIGHTS
from infadapter_server.networks.signatures import LoadError
from infadapter_server.networks.stored import Stored


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A model that was found. For a shipped one the name is its variant's and the version empty."""

    name: str
    version: str
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Disk:
    """FOLDER/NAME/VERSION/FILE, as in Triton's repository; None: only shipped networks."""

    folder: Path | None
    memory_bytes: int | None = None

    def models(self) -> Iterator[OnDisk]:
        for shipped in sorted(WEIGHTS.iterdir(), key=lambda file: file.name):
            if shipped.name.endswith(".pt"):
                size = len(shipped.read_bytes())
                yield OnDisk(shipped.name.removesuffix(".pt"), "", size)
        for file in sorted(self.folder.glob("*/*/*")) if self.folder else ():
            if file.is_file():
                yield OnDisk(file.parts[-3], file.parts[-2], file.stat().st_size)

    def opener(self, open_model: Opener) -> Opener:
        """
        Return an opener restricted to what is on this disk, whatever a controller sends. Raises
        LoadError.
        """

        def opened(stored: Stored) -> Loaded:
            model = open_model(self._here(stored))
            if self.memory_bytes is not None and model.weights_bytes > self.memory_bytes:
                raise LoadError(
                    f"{stored.name} takes {model.weights_bytes} bytes, and all models of this "
                    f"worker may take {self.memory_bytes}."
                )
            return model

        return opened

    def _here(self, stored: Stored) -> Stored:
        if stored.file is None:
            return stored
        if self.folder is None:
            raise LoadError(f"{stored.name} is a file, and this worker has no folder of models.")
        path = self.folder / stored.name / stored.version / stored.file
        inside = path.resolve().is_relative_to(self.folder.resolve())
        if not inside or not path.is_file():
            place = f"{stored.name}/{stored.version}/{stored.file}"
            raise LoadError(f"There is no {place} on this worker's disk.")
        return replace(stored, file=str(path))
