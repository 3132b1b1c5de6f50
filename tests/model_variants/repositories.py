"""Model repositories on disk for tests that only read the files: no model can be loaded."""

from pathlib import Path

MIB = 2**20
TENSORS = "input: {name: x, shape: [4]}\noutput: {name: y, shape: [3]}\nbatch_sizes: [1, 4]\n"


def add(folder: Path, name: str, mib: float = 1.0, version: str = "1", config: str = "") -> None:
    (folder / name / version).mkdir(parents=True, exist_ok=True)
    (folder / name / "config.yaml").write_text(TENSORS + config)
    (folder / name / version / "model.pt").write_bytes(bytes(int(mib * MIB)))
