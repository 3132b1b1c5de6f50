"""Read the notes of training on the networks of this package, without importing torch."""

import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

WEIGHTS = files("infadapter_server.networks") / "weights"


def measured(folder: Traversable = WEIGHTS) -> dict[str, dict[str, Any]]:
    """Return the notes by rung: accuracy on the test images and training parameters."""
    notes = folder / "ladder.json"
    if not notes.is_file():
        return {}
    rungs: dict[str, dict[str, Any]] = json.loads(notes.read_text(encoding="utf-8"))
    return rungs
