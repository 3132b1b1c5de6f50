"""
Journal of a run beside its profile, so that an interrupted run continues.

The search asks the same questions in the same order if it gets the same answers. So it is run again
from the start, and the journal answers what it has recorded.
"""

import fcntl
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import click

from infadapter_server.profiling.profiler import ProfileError
from infadapter_server.profiling.steps import Seen

Json = dict[str, Any]
FORMAT = [2, *Seen.__dataclass_fields__]
"""
Raise the number if questions or answers change their meaning: older journals are then not read.
"""


@dataclass(slots=True)
class Journal:
    """
    A file of lines with checksums. The first line says what is measured; if that differs, all
    others are dropped. Nothing is written before the first new answer: a user who learns that an
    earlier run's steps are not used, and stops, has lost nothing.
    """

    path: Path
    about: Json
    file: BinaryIO
    known: list[Json] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # of the lines: about's, and each of the known
    facts: list[Json] = field(default_factory=list)  # to be written with the next answer
    next: int = 0

    @property
    def waiting(self) -> int:
        """The number of recorded answers that have not been asked for yet."""
        return len(self.known) - self.next

    def recall(self, question: Json) -> Any:
        """
        Return the recorded answer if this question is the next recorded one; else drop the rest.
        """
        if self.waiting:
            if self.known[self.next]["question"] == question:
                self.next += 1
                return self.known[self.next - 1]["answer"]
            del self.known[self.next :]
        return None

    def rests_on(self, fact: Json) -> None:
        """Record a fact without which all later answers are invalid."""
        earlier = self.waiting
        if self.recall(fact) is None:
            self.facts.append(fact)
            if earlier:
                _say(self.path, f"is of another {', '.join(fact)}")

    def note(self, question: Json, answer: Any) -> None:
        """Record an answer. Raises ProfileError if it cannot be written."""
        del self.known[self.next :], self.ends[1 + self.next :]
        if not self.ends:
            self._append({"format": FORMAT, "about": self.about})
        for entry in (
            *({"question": fact, "answer": True} for fact in self.facts),
            {"question": question, "answer": answer},
        ):
            self._append(entry)
            self.known.append(entry)
        self.facts.clear()
        self.next = len(self.known)

    def forget(self) -> None:
        """Drop everything, because the same questions have other answers now."""
        self.known.clear()
        self.ends.clear()
        self.next = 0
        self.file.truncate(0)

    def _append(self, entry: Json) -> None:
        text = json.dumps(entry).encode()
        line = rest = b"%08x %s\n" % (zlib.crc32(text), text)
        start = self.ends[-1] if self.ends else 0
        try:
            self.file.truncate(start)  # of what is forgotten, and of a line that was cut off
            while rest:  # a disk that gets full takes a part first
                rest = rest[self.file.write(rest) :]
            os.fsync(self.file.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self.ends.append(start + len(line))

    def _read(self) -> None:
        """Read the intact lines of an earlier run."""
        self.file.seek(0)
        lines = self.file.read().split(b"\n")[:-1]
        entries = _whole(lines)
        if not lines or (entries and entries[0] == {"format": FORMAT, "about": self.about}):
            self.known = entries[1:]
            lengths = [len(line) + 1 for line in lines[: len(entries)]]
            self.ends = [sum(lengths[: n + 1]) for n in range(len(lengths))]
        else:
            _say_why(self.path, entries, self.about)


@contextmanager
def opened(path: Path, about: Mapping[str, object]) -> Iterator[Journal]:
    """Open the journal of a run, exclusively. Raises ProfileError."""
    there = path.exists()
    try:
        file = path.open("a+b", buffering=0)
    except OSError as error:
        raise _unwritable(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ProfileError(
                f"Another command measures this into {path} right now: let it end, or stop it."
            ) from error
        except OSError as error:  # such as a network's file system without locks
            if not there:
                path.unlink(missing_ok=True)
            raise ProfileError(
                f"{path} cannot be locked: {error.strerror}."
                " Write the profile into a folder of another file system."
            ) from error
        journal = Journal(path, json.loads(json.dumps(about)), file)
        journal._read()
        try:
            yield journal
        finally:
            if not there and not journal.ends:
                path.unlink(missing_ok=True)


def _whole(lines: list[bytes]) -> list[Json]:
    """Return the lines up to the first that is damaged."""
    entries: list[Json] = []
    for line in lines:
        checksum, _, text = line.partition(b" ")
        if checksum != b"%08x" % zlib.crc32(text):
            break
        entries.append(json.loads(text))
    return entries


def _say_why(path: Path, entries: list[Json], about: Json) -> None:
    if not entries or entries[0].get("format") != FORMAT:
        _say(path, "is damaged, or of another version")
    elif len(entries) > 1:
        then = entries[0]["about"]
        other = [name for name in about if then.get(name) != about[name]]
        _say(path, f"is of another {', '.join(other)}")


def _say(path: Path, why: str) -> None:
    click.echo(f"What an interrupted run left in {path} {why}: all is measured anew.", err=True)


def _unwritable(path: Path, error: OSError) -> ProfileError:
    return ProfileError(
        f"{path}, where steps are kept until all is written, cannot be written: {error.strerror}."
    )
