"""What was measured so far, beside the profile to be: an interrupted run goes on where it was.

The search asks the same questions in the same order when it gets the same answers. So it is run
again from the start, and what the journal holds is answered from there.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infadapter_profiles.whole import replacing
from infadapter_server.profiling.steps import Bench, Seen, Step

Json = dict[str, Any]


@dataclass(slots=True)
class Journal:
    """A file of JSON lines; the first says what is measured, and any other run begins anew."""

    path: Path
    about: str
    known: list[Json] = field(default_factory=list)
    next: int = 0

    @classmethod
    def open(cls, path: Path, about: Mapping[str, object]) -> "Journal":
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        journal = cls(path, digest)
        lines = _lines(path)
        if lines and lines[0].get("about") == digest:
            journal.known = lines[1:]
        journal._write()
        return journal

    def recall(self, question: Json) -> Json | None:
        """The answer to the next question, if that is what was asked then; else forget the rest."""
        if self.next < len(self.known):
            entry = self.known[self.next]
            if entry.get("question") == question:
                self.next += 1
                answer: Json = entry["answer"]
                return answer
            del self.known[self.next :]
            self._write()
        return None

    def note(self, question: Json, answer: Json) -> None:
        entry = {"question": question, "answer": answer}
        self.known.append(entry)
        self.next = len(self.known)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _write(self) -> None:
        lines = [json.dumps(each) + "\n" for each in ({"about": self.about}, *self.known)]
        with replacing(self.path) as beside:  # a kill meanwhile must not cost what was measured
            beside.write_text("".join(lines), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Remembered:
    """A bench that takes only the steps that the journal does not hold."""

    bench: Bench
    journal: Journal

    async def take(self, step: Step) -> Seen:
        question = json.loads(json.dumps(dataclasses.asdict(step)))
        if (answer := self.journal.recall(question)) is not None:
            return Seen(**{**answer, "tail": tuple(answer["tail"])})
        seen = await self.bench.take(step)
        self.journal.note(question, json.loads(json.dumps(dataclasses.asdict(seen))))
        return seen


def _lines(path: Path) -> list[Json]:
    """Whole lines only: the last one may have been cut off."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]
    except (OSError, ValueError):
        return []
