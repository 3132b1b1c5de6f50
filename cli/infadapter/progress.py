"""Progress of long work on stderr, and its failure in one sentence."""

import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field

import click

from infadapter_solver import InvalidProblem, TooLarge
from infadapter_workload.trace import TraceError

FIRST_S, LATER = 3.0, 1.3


@dataclass(slots=True)
class Progress:
    """Prints a line after some seconds, and then less often the longer the work takes."""

    began_s: float = field(default_factory=time.monotonic)
    due_s: float = FIRST_S
    what: str = "runs"

    def __call__(self, done: int, total: int) -> None:
        elapsed_s = time.monotonic() - self.began_s
        if elapsed_s >= self.due_s and done < total:
            self.due_s = LATER * elapsed_s
            click.echo(f"{done} of {total} {self.what} done in {elapsed_s:.0f} s", err=True)


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
