"""Random invalid requests: valid ones in JSON, binary and gRPC, changed at random.

    python -m tests.model_variants.fuzzing 100000    so many of each kind; prints time and memory

Hypothesis takes milliseconds per value, too long for a hundred thousand requests. So they are drawn
by random.Random, and its seed determines them.
"""

import argparse
import copy
import json
import random
import resource
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.message import DecodeError

from infadapter_server.networks.signatures import Signature
from infadapter_server.serving.grpc import inference_pb2 as pb
from infadapter_server.serving.grpc import messages
from infadapter_server.serving.oip import encodings
from infadapter_server.serving.oip.datatypes import DATATYPES
from infadapter_server.serving.protocol import BadTensor, Question, parse

SIGNATURE = Signature(input_shape=(2, 2), output_shape=(3,))
MAX_BATCH, LONGEST = 4, 4096
FAULTS = (BadTensor, encodings.BadEncoding, encodings.TooLong, encodings.UnknownEncoding)

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2.5, 1e39, -1e308, 2**63, 2**64 - 1, -(2**63)),
    *("", "image", "logits", "FP32", "INT64", "BYTES", "x" * 300, "\0", "é\ud7ff", "NaN"),
    *([], [[]], [0], [[0], 0], [1, 2, 2], [-1, 2, 2], [4, 2, 2], {}, {"a": []}, [None], ["1"]),
    *({"binary_data_size": 16}, {"binary_data": True}, {"classification": 2}, {"timeout": 5}),
)
KEYS = ("inputs", "outputs", "parameters", "id", "name", "shape", "datatype", "data", "x")
TYPES = ("FP32", "FP64", "FP16", "INT8", "INT64", "UINT8", "UINT64", "BOOL", "BYTES", "BF16")
ENCODINGS = (*[""] * 12, "gzip", "deflate", "identity", "br", "gzip, gzip", "\0")


def body(draw: random.Random) -> tuple[bytes, str | None, str]:
    """Draw a request's body, the length of its JSON in the header, and its Content-Encoding."""
    content, raw = _good(draw)
    content = _changed(draw, content)
    try:
        head = json.dumps(content).encode()
    except UnicodeEncodeError:
        head = json.dumps(repr(content)).encode()
    if draw.random() < 0.2:
        head = _damaged(draw, head)
    length: str | None = str(len(head)) if raw else None
    if draw.random() < 0.1:
        length = draw.choice((None, "", "-1", "9" * 30, "1e3", "²", "0"))
    whole, encoding = head + raw, draw.choice(ENCODINGS)
    if encoding in ("gzip", "deflate"):
        whole = zlib.compress(whole) if encoding == "deflate" else _gzip(whole)
        whole = _damaged(draw, whole) if draw.random() < 0.3 else whole
    return whole, length, encoding


def message(draw: random.Random) -> bytes:
    """Draw a serialised ModelInferRequest, valid or damaged."""
    content, raw = _good(draw)
    (tensor,) = content["inputs"]
    tensor.pop("parameters", None)
    values = tensor.pop("data", None)
    if values is not None:
        field = draw.choice(("fp32_contents", "int64_contents", "fp64_contents"))
        tensor["contents"] = {field: [1] * len(values)}
        own = field.partition("_")[0].upper()
        tensor["datatype"] = draw.choice(TYPES) if draw.random() < 0.3 else own
    if draw.random() < 0.2:
        tensor["name"] = draw.choice(("", "x" * 300))
    if draw.random() < 0.2:
        tensor["shape"] = draw.choice(([], [-1], [2**62, 4], [4]))
    parameter = {draw.choice(("int64_param", "uint64_param")): draw.choice((0, 7, 2**62))}
    request: Any = {
        "model_name": "a",
        "id": draw.choice(("", "7", "7", "x" * 300)),
        "inputs": [tensor] * draw.choice((1, 1, 1, 1, 0, 2)),
        "outputs": [{"name": draw.choice(("logits", "logits", "y"))}] * draw.choice((0, 1, 1, 2)),
        "parameters": {draw.choice(("timeout", "timeout", "binary_data_output")): parameter},
        "raw_input_contents": [raw] * (draw.choice((1, 1, 1, 2)) if raw else 0),
    }
    whole = pb.ModelInferRequest(**request).SerializeToString()
    return _damaged(draw, whole) if draw.random() < 0.3 else whole


def read_body(drawn: tuple[bytes, str | None, str]) -> Question:
    content, length, encoding = drawn
    return parse(encodings.unpacked(content, encoding, LONGEST), length, SIGNATURE, MAX_BATCH)


def read_message(content: bytes) -> Question:
    try:
        request = pb.ModelInferRequest.FromString(content)
    except DecodeError as error:  # gRPC itself refuses these
        raise BadTensor(f"{error}.") from None
    return messages.question(request, SIGNATURE, MAX_BATCH)


def outcomes(read: Callable[[Any], Question], drawn: Iterator[Any], number: int) -> Counter[str]:
    """Count requests by outcome. Exceptions that do not blame the request are raised."""
    counted: Counter[str] = Counter()
    for _ in range(number):
        try:
            question = read(next(drawn))
        except FAULTS as fault:
            _check_sentence(str(fault))
            counted[type(fault).__name__] += 1
        else:
            assert question.batch.shape[1:] == SIGNATURE.input_shape
            assert 1 <= len(question.batch) <= MAX_BATCH
            counted["read"] += 1
    return counted


def _check_sentence(sentence: str) -> None:
    assert sentence.endswith("."), sentence
    assert len(sentence) < 600, sentence


def endless(make: Callable[[random.Random], Any], seed: int) -> Iterator[Any]:
    draw = random.Random(seed)
    while True:
        yield make(draw)


def _good(draw: random.Random) -> tuple[dict[str, Any], bytes]:
    """Draw a request and its binary values, in most cases a valid one."""
    count = draw.choice((1, 1, 1, 2, 4, 5))
    kind = DATATYPES[draw.choice(tuple(DATATYPES))]
    tensor: dict[str, Any] = {"name": "image", "shape": [count, 2, 2], "datatype": kind.name}
    raw = b""
    if draw.random() < 0.5:
        raw = bytes([draw.choice((0, 1))] * (4 * count * kind.value_bytes))
        if draw.random() < 0.3:
            raw = draw.randbytes(len(raw))
        tensor["parameters"] = {"binary_data_size": len(raw)}
    else:
        tensor["data"] = [draw.choice((0, 1))] * (4 * count)
    return {"inputs": [tensor], "outputs": [{"name": "logits", "parameters": {}}], "id": "7"}, raw


def _changed(draw: random.Random, content: Any) -> Any:
    """Replace a few values of a request."""
    for _ in range(draw.choice((0, 1, 1, 2, 3))):
        place: Any = content
        while isinstance(place, dict | list) and place:
            keys: Any = list(place) if isinstance(place, dict) else range(len(place))
            key: Any = draw.choice(keys)
            if isinstance(place[key], dict | list) and draw.random() < 0.7:
                place = place[key]
                continue
            if isinstance(place, dict) and draw.random() < 0.2:
                key = draw.choice(KEYS)
            place[key] = copy.deepcopy(draw.choice(ODD))
            break
    return draw.choice(ODD) if draw.random() < 0.02 else content


def _damaged(draw: random.Random, whole: bytes) -> bytes:
    torn = bytearray(whole)
    for _ in range(draw.choice((1, 2, 8))):
        at = draw.randrange(len(torn) + 1)
        torn[at : at + draw.choice((0, 1, 5))] = draw.randbytes(draw.choice((0, 1, 3)))
    return bytes(torn)


def _gzip(content: bytes) -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(content) + packer.flush()


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("number", type=int, help="how many requests of each kind")
    number = arguments.parse_args().number
    for name, make, read in (("bodies", body, read_body), ("messages", message, read_message)):
        drawn = endless(make, seed=1)
        outcomes(read, drawn, 1000)
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began_s = time.perf_counter()
        counted = outcomes(read, drawn, number)
        took_s = time.perf_counter() - began_s
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
        print(f"{number} {name}: {took_s:.0f} s, {grown_kb} kB more, {dict(counted)}")


if __name__ == "__main__":
    main()
