"""The server under test: its address, and requests that it must understand."""

import copy
import time
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import httpx

NUMBERS = {"FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64"} | {
    *("UINT8", "UINT16", "UINT32", "UINT64", "BOOL")
}


@dataclass(frozen=True)
class Target:
    """Where the server and its model are; everything else is read from its metadata."""

    url: str
    model: str
    grpc: str | None

    def wait_ready(self, within_s: float) -> None:
        by = time.monotonic() + within_s
        with httpx.Client(timeout=within_s) as client:
            while client.get(f"{self.url}/v2/health/ready").status_code != 200:
                assert time.monotonic() < by, "the server does not become ready"
                time.sleep(0.05)

    @property
    def path(self) -> str:
        return f"/v2/models/{self.model}"

    @cached_property
    def extensions(self) -> list[str]:
        extensions: list[str] = httpx.get(f"{self.url}/v2").json().get("extensions") or []
        return extensions

    @cached_property
    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = httpx.get(self.url + self.path).json()
        return metadata

    @property
    def input(self) -> dict[str, Any]:
        """The metadata of the one input."""
        tensor: dict[str, Any] = self.metadata["inputs"][0]
        return tensor

    @property
    def output_name(self) -> str:
        name: str = self.metadata["outputs"][0]["name"]
        return name

    def shape(self, batch: int = 1) -> list[int]:
        return [batch if size == -1 else size for size in self.input["shape"]]

    def tensor(self, batch: int = 1, **changes: Any) -> dict[str, Any]:
        """Return a valid input tensor with these fields changed, or removed if None."""
        shape = self.shape(batch)
        good = {
            "name": self.input["name"],
            "shape": shape,
            "datatype": self.input["datatype"],
            "data": [0] * prod(shape),
        }
        return {key: value for key, value in (good | changes).items() if value is not None}

    def question(self, batch: int = 1, **fields: Any) -> dict[str, Any]:
        return {"inputs": [self.tensor(batch)], **copy.deepcopy(fields)}

    def needs(self, extension: str) -> None:
        """Skip the test if the server does not list the extension."""
        import pytest

        if extension not in self.extensions:
            pytest.skip(f"the server does not list the extension {extension}")
