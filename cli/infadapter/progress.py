"""Long work tells on stderr how far it is, and fails in one sentence."""

import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field

import click

from infadapter_simulator.traces.trace import TraceError
from infadapter_solver import InvalidProblem, TooLarge

EVERY_S = 3.0


@dataclass(slots=True)
class Progress:
    """A line every few seconds, and none for what is done before the first."""

    began_s: float = field(default_factory=time.monotonic)
    told_s: float = field(default_factory=time.monotonic)

    def __call__(self, done: int, total: int) -> None:
        now_s = time.monotonic()
        if now_s - self.told_s >= EVERY_S and done < total:
            self.told_s = now_s
            click.echo(f"{done} of {total} runs done in {now_s - self.began_s:.0f} s", err=True)


@contextmanager
def in_one_sentence() -> Iterator[None]:
    try:
        yield
    except TraceError as error:
        raise click.UsageError(str(error)) from error
    except (InvalidProblem, TooLarge) as error:
        raise click.UsageError(f"{error}.") from error
    except BrokenProcessPool as error:
        raise click.ClickException(
            "A process of the simulation was ended, perhaps for want of memory: "
            "cut the trace with --from and --to."
        ) from error
