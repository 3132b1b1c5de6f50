"""A network as MLServer's custom runtime, as its documentation has them. Imported there alone."""

import asyncio
import os
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.serving.networks import Network


class Served(MLModel):  # type: ignore[misc]
    """In a thread, so that requests are read while a batch is computed."""

    async def load(self) -> bool:
        told = self.settings.parameters.extra
        repository = told["repository"]
        network = Network(told["network"], Path(repository) if repository else None)
        self._model, self._signature = network.open(), network.signature
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        batch = NumpyCodec.decode_input(payload.inputs[0])
        rows = await asyncio.to_thread(self._model, batch)
        outputs = [NumpyCodec.encode_output(self._signature.output_name, rows)]
        return InferenceResponse(model_name=self.name, outputs=outputs)
