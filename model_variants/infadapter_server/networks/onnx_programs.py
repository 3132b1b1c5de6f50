"""ONNX models by onnxruntime, which is installed as an extra: `pip install 'infadapter[onnx]'`.

onnxruntime fixes a session's threads at creation. So a session is created once their number is
known, and again whenever the CPU quota changes it.
"""

import logging
import os
from pathlib import Path
from typing import Any

from infadapter_server.networks.answers import LONGEST_CAUSE, Misfit, check_answer
from infadapter_server.networks.memory import trim_memory
from infadapter_server.networks.onnx_header import read_header
from infadapter_server.networks.signatures import Floats, LoadError, Signature
from infadapter_server.networks.stored import Stored

__all__ = ["OnnxProgram", "open_onnx"]

_ERRORS_ONLY = 3
_log = logging.getLogger(__name__)


class OnnxProgram:
    """An ONNX model as the server's `Model`; `use_threads` loads its weights."""

    def __init__(self, path: Path, signature: Signature, weights_bytes: int) -> None:
        self._path, self._signature = path, signature
        self.weights_bytes = weights_bytes
        self._session: Any = None
        self._threads = 1

    def __call__(self, batch: Floats) -> Floats:
        if self._session is None:
            self.use_threads(self._threads)
        asked = {self._signature.input_name: batch}
        try:
            (answer,) = self._session.run([self._signature.output_name], asked)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's network leads to
            raise Misfit(
                f"for the input {list(batch.shape)} it raises {type(error).__name__}, "
                f"{_cause(error)}"
            ) from None
        kind = str(getattr(answer, "dtype", type(answer).__name__))
        check_answer(tuple(getattr(answer, "shape", ())), kind, batch.shape, self._signature)
        outputs: Floats = answer
        return outputs

    def use_threads(self, threads: int) -> None:
        """Raises LoadError for the first session; later ones that can't be made are left out."""
        if self._session is None:
            self._session = _session(self._path, threads)
        elif threads != self._threads:
            try:
                self._session = _session(self._path, threads)
            except LoadError as error:
                _log.warning("%s goes on with %d threads: %s", self._path, self._threads, error)
                return
        self._threads = threads

    def __del__(self) -> None:
        # Unloading must return memory to the system.
        self._session = None
        trim_memory()


def open_onnx(stored: Stored) -> OnnxProgram:
    """Return the program of a file. Raises LoadError, as its first `use_threads` does."""
    path = Path(stored.file or "")
    if not path.is_file():
        raise LoadError(f"There is no file {path}: put the model of {stored.name} there.")
    _runtime()
    beside = [path.parent / name for name in read_header(path).external]
    size = sum(each.stat().st_size for each in (path, *beside) if each.is_file())
    return OnnxProgram(path, stored.signature, size)


def _session(path: Path, threads: int) -> Any:
    """Create a session, with external weights read into memory.

    onnxruntime would map their files. If `cp` then overwrote one, the weights would change during
    inference, and a shorter file would kill the process.
    """
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Threads that spin between operations spend a CPU quota on nothing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ERRORS_ONLY
    try:
        weights = {name: (path.parent / name).read_bytes() for name in read_header(path).external}
        options.add_external_initializers_from_files_in_memory(
            list(weights), list(weights.values()), [len(each) for each in weights.values()]
        )
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - whatever a stranger's file leads to
        raise LoadError(
            f"The model {path} cannot be loaded ({type(error).__name__}: {_cause(error)}): write "
            f"it again for onnxruntime {runtime.__version__}."
        ) from None


def _runtime() -> Any:
    # From 1.29 on it reports each process and model to its makers and stores an identifier in the
    # home folder, unless this variable is set before the import.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError:
        raise LoadError(
            "ONNX models need onnxruntime, which isn't installed: pip install 'infadapter[onnx]'."
        ) from None
    return onnxruntime


def _cause(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:LONGEST_CAUSE] if lines else "no reason given"
