"""Large JSON bodies, parsed by another process."""

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import orjson
import pytest

from infadapter_server.networks.signatures import Signature
from infadapter_server.serving.oip.outputs import Wanted
from infadapter_server.serving.parser import Parser, ParserLost
from infadapter_server.serving.parsing import LARGE_JSON, Parsing
from infadapter_server.serving.protocol import BadTensor, Question, parse

SIGNATURE = Signature(input_shape=(50_000,), output_shape=(1,))


def body(rows: int, **fields: object) -> bytes:
    values = np.arange(rows * 50_000, dtype=np.float32) / 7
    tensor = {"name": "image", "datatype": "FP32", "shape": [rows, 50_000], "data": values}
    return orjson.dumps({"inputs": [tensor], **fields}, option=orjson.OPT_SERIALIZE_NUMPY)


@pytest.fixture
def parser() -> Iterator[Parser]:
    made = Parser()
    yield made
    made.stop()


async def test_a_body_comes_back_as_if_it_had_been_parsed_here(parser: Parser) -> None:
    asked = body(3, id="7", parameters={"timeout": 5, "binary_data_output": True})
    for _ in range(2):
        question = await parser.parse(asked, None, SIGNATURE, 8)
        assert question.batch.shape == (3, 50_000)
        assert np.array_equal(question.batch.ravel(), np.arange(150_000, dtype=np.float32) / 7)
        assert (question.id, question.binary, question.timeout_us) == ("7", True, 5)
        assert question.batch.flags.writeable  # torch wants to own its memory


async def test_all_that_is_asked_comes_back(parser: Parser) -> None:
    given = {"timeout": 5, "accuracy_floor": 0.9, "binary_data_output": True}
    asked = body(1, id="7", parameters=given)
    there, here = await parser.parse(asked, None, SIGNATURE, 8), parse(asked, None, SIGNATURE, 8)
    for each in fields(Question):
        if each.name != "batch":
            assert getattr(there, each.name) == getattr(here, each.name), each.name
    assert there.accuracy_floor == 0.9


async def test_a_file_of_a_user_in_the_current_folder_is_not_taken_for_a_librarys(
    parser: Parser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orjson.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    assert (await parser.parse(body(1), None, SIGNATURE, 8)).batch.shape == (1, 50_000)


async def test_what_is_asked_of_the_output_comes_back_too(parser: Parser) -> None:
    asked = body(1, outputs=[{"name": "logits", "parameters": {"classification": 3}}])
    question = await parser.parse(asked, None, SIGNATURE, 8)
    assert question.wanted == Wanted(binary=False, classes=3)


async def test_what_is_wrong_with_a_body_is_said_in_the_same_words(parser: Parser) -> None:
    with pytest.raises(BadTensor, match="n from 1 to 2"):
        await parser.parse(body(3), None, SIGNATURE, 2)
    with pytest.raises(BadTensor, match="not JSON"):
        await parser.parse(b"{" * 1000, None, SIGNATURE, 2)
    assert (await parser.parse(body(1), None, SIGNATURE, 2)).batch.shape == (1, 50_000)


async def test_a_process_that_was_killed_costs_one_body(parser: Parser) -> None:
    await parser.parse(body(1), None, SIGNATURE, 2)
    assert parser.process is not None
    parser.process.send_signal(signal.SIGKILL)
    parser.process.wait()
    assert (await parser.parse(body(1), None, SIGNATURE, 2)).batch.shape == (1, 50_000)
    parser.process.send_signal(signal.SIGSTOP)
    parsing = asyncio.create_task(parser.parse(body(1), None, SIGNATURE, 2))
    await asyncio.sleep(0.05)
    parser.process.send_signal(signal.SIGKILL)
    with pytest.raises(ParserLost):
        await parsing


async def test_only_what_keeps_the_interpreter_for_long_goes_to_the_process() -> None:
    parsing = Parsing()
    try:
        parsing.start(LARGE_JSON)
        small = Signature(input_shape=(2,), output_shape=(1,))
        tensor = {"name": "image", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
        asked = orjson.dumps({"inputs": [tensor]})
        assert await parsing.ahead(asked, None, small, 1) is None
        spaced = asked + b" " * 100_000
        assert await parsing.ahead(spaced, None, small, 1) is not None
        assert parsing.process.process is None
        assert await parsing.ahead(asked + b" " * LARGE_JSON, None, small, 1) is not None
        assert parsing.process.process is not None
    finally:
        parsing.stop()
