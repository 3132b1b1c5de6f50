"""What an interrupted profile leaves, and what the next one makes of it."""

import errno
import fcntl
import os
import random
import resource
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_server.profiling.bench import Remembered
from infadapter_server.profiling.journal import opened
from infadapter_server.profiling.profiler import ProfileError
from infadapter_server.profiling.search import Search
from infadapter_server.profiling.steps import Disturbed, Goal, SearchError, Seen, Step
from infadapter_server.profiling.turns import in_turns
from tests.model_variants.virtual_bench import Queue

GOAL = Goal(slo_s=0.03, percentile=99, epsilon=0.01)
STEP = Step(goal=GOAL, rate_rps=100, seconds=1, warm_up_s=0.2, seed=0)
ABOUT = {"--cpu": {"cpu": 1000}, "--seconds": 60.0}


def questions(path: Path) -> list[object]:
    with opened(path, ABOUT) as journal:
        return [entry["question"] for entry in journal.known]


def written(path: Path, answers: int) -> bytes:
    with opened(path, ABOUT) as journal:
        for number in range(answers):
            journal.note({"number": number}, {"answer": number * 1.5})
    return path.read_bytes()


async def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    path, first, second = tmp_path / "partial", Queue(0.003), Queue(0.003, seed=9)
    with opened(path, ABOUT) as journal:
        bench = Remembered(first, journal)
        seen = [await bench.take(replace(STEP, seed=seed)) for seed in range(3)]
    with opened(path, ABOUT) as journal:
        again = Remembered(second, journal)
        assert [await again.take(replace(STEP, seed=seed)) for seed in range(3)] == seen
        assert not second.steps
        await again.take(replace(STEP, seed=3))
    assert len(second.steps) == 1
    assert len(questions(path)) == 4


async def test_a_search_that_is_killed_at_any_step_ends_as_one_that_is_not(tmp_path: Path) -> None:
    """Among steps that are spoilt, of which the first run saw others than the second."""

    class Killed(Exception):
        pass

    class Bench:
        def __init__(self, most: int, spoils: int) -> None:
            self.steps, self.most, self.rain = 0, most, random.Random(spoils)

        async def take(self, step: Step) -> Seen:
            self.steps += 1
            if self.steps > self.most:
                raise Killed
            seen = await Queue(0.003, seed=step.seed).take(step)
            return replace(seen, spoilt="it rained") if self.rain.random() < 0.1 else seen

    async def search(path: Path, bench: Bench) -> object:
        with opened(path, ABOUT) as journal:
            remembered = Remembered(bench, journal)
            search = Search(bench=remembered, goal=GOAL, saturation_rps=333, seconds=30, seed=0)
            return await in_turns([search], 0)

    whole = await search(tmp_path / "whole", Bench(1_000, spoils=0))
    for most in (1, 4, 7):
        path = tmp_path / str(most)
        with pytest.raises(Killed):
            await search(path, Bench(most, spoils=1))
        kept, second = len(questions(path)), Bench(1_000, spoils=2)
        assert await search(path, second) == whole
        assert kept >= most - 3


async def test_what_ended_a_run_is_looked_at_again(tmp_path: Path) -> None:
    """Or the same command would end with the same words for ever."""

    class Bench:
        def __init__(self, *, spoilt: str | None = None, failed: int = 0) -> None:
            self.spoilt, self.failed = spoilt, failed

        async def take(self, step: Step) -> Seen:
            seen = await Queue(0.003, seed=step.seed).take(step)
            return replace(seen, spoilt=self.spoilt, failed=self.failed)

    async def search(bench: Bench) -> object:
        with opened(tmp_path / "partial", ABOUT) as journal:
            remembered = Remembered(bench, journal)
            search = Search(bench=remembered, goal=GOAL, saturation_rps=333, seconds=30, seed=0)
            return await in_turns([search], 0)

    with pytest.raises(Disturbed):
        await search(Bench(spoilt="it rained"))
    with pytest.raises(SearchError, match="failed"):
        await search(Bench(failed=10_000))
    assert await search(Bench())


async def test_what_is_forced_counts_and_is_kept_spoilt(tmp_path: Path) -> None:
    class Spoils:
        async def take(self, step: Step) -> Seen:
            return replace(await Queue(0.003).take(step), spoilt="it rained")

    with opened(tmp_path / "partial", ABOUT) as journal:
        await Remembered(Spoils(), journal, force=True).take(STEP)
    with opened(tmp_path / "partial", ABOUT) as journal:
        seen = await Remembered(Queue(0.003), journal, force=True).take(STEP)
    assert seen.spoilt == "it rained"


def test_another_measurement_begins_anew_and_says_in_what_it_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "partial"
    before = written(path, 3)
    with opened(path, {**ABOUT, "--seconds": 30.0}) as journal:
        assert not journal.known
    said = capsys.readouterr().err
    assert f"left in {path} is of another --seconds: all is measured anew" in said
    assert path.read_bytes() == before  # who stops now has lost nothing
    with opened(path, {**ABOUT, "--seconds": 30.0}) as journal:
        journal.note({"number": 0}, 1)
    assert not questions(path)


def test_another_server_begins_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "partial"
    for server, kept in (("one", False), ("one", True), ("two", False), ("two", True)):
        with opened(path, ABOUT) as journal:
            journal.rests_on({"server": server})
            assert (journal.recall({"number": 0}) is not None) == kept
            if not kept:
                journal.note({"number": 0}, server)
    assert capsys.readouterr().err.count("is of another server: all is measured anew") == 1


def test_another_question_forgets_what_came_after(tmp_path: Path) -> None:
    path = tmp_path / "partial"
    written(path, 3)
    with opened(path, ABOUT) as journal:
        assert journal.recall({"number": 0}) == {"answer": 0}
        assert journal.recall({"number": 7}) is None
        assert len(questions_in(path)) == 3
        journal.note({"number": 7}, 7)
    assert questions(path) == [{"number": 0}, {"number": 7}]


def questions_in(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()[1:]


@settings(max_examples=30)
@given(st.data())
def test_of_a_damaged_file_what_precedes_the_damage_is_used(data: st.DataObject) -> None:
    """Cut off anywhere, or a byte changed anywhere: never another answer, never a traceback."""
    path = Path(os.environ["PYTEST_JOURNAL"])
    path.unlink(missing_ok=True)
    whole = written(path, 4)
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.binary(max_size=1))
    path.write_bytes(whole[:at] + byte + (whole[at + 1 :] if byte else b""))
    intact = [{"number": number} for number in range(4)]
    same = byte == whole[at : at + 1]
    found = questions(path)
    lines = whole[:at].count(b"\n")
    assert found == (intact if same else intact[: max(0, lines - 1)])
    with opened(path, ABOUT) as journal:
        journal.next = len(journal.known)
        journal.note({"number": 9}, 9)
    assert questions(path) == [*found, {"number": 9}]


@pytest.fixture(autouse=True)
def _one_path(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_JOURNAL", str(tmp_path_factory.mktemp("journal") / "partial"))


@pytest.mark.parametrize("text", [b"no json\n", b'{"about": "0123"}\n3\n', b"\xff\x00\n", b"x"])
def test_what_is_no_journal_or_an_older_one_is_said_and_not_used(
    text: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "partial"
    path.write_bytes(text)
    assert not questions(path)
    assert ("is damaged, or of another version" in capsys.readouterr().err) == (b"\n" in text)
    written(path, 2)
    assert len(questions(path)) == 2


def test_one_command_at_a_time_has_the_file(tmp_path: Path) -> None:
    path = tmp_path / "partial"
    with (
        opened(path, ABOUT),
        pytest.raises(ProfileError, match="Another command measures this into"),
        opened(path, ABOUT),
    ):
        pass
    assert not path.exists()  # nothing was measured, nothing is left


def test_a_file_system_without_locks_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stands for a mount without them, which a test can't make."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    path = tmp_path / "partial"
    with (
        pytest.raises(ProfileError, match="partial cannot be locked: No locks available"),
        opened(path, ABOUT),
    ):
        pass
    assert not path.exists()


def test_a_file_that_can_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(ProfileError, match=r"folder, where steps are kept .*: Is a directory"),
        opened(tmp_path / "folder", ABOUT),
    ):
        pass


def test_a_disk_that_gets_full_is_a_sentence_and_what_was_kept_is_used(tmp_path: Path) -> None:
    """By a limit on files: of the line that is too long for it, a part is written first."""
    path = tmp_path / "partial"
    _, most = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(path, ABOUT) as journal:
        journal.note({"number": 0}, 0)
        whole = path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (whole + 10, most))
        try:
            with pytest.raises(ProfileError, match="cannot be written: File too large"):
                journal.note({"number": 1}, 1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.stat().st_size == whole + 10
    assert questions(path) == [{"number": 0}]
