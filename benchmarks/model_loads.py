"""How long models take to load, by format: the first time, which measures them, and later.

\b
    python benchmarks/model_loads.py --rounds 5

Medians of CPU time on one thread, which an idle core takes as long for; files are in the system's
cache, and are made for it. A first load warms each batch size (1, 2, 4, 8) up; a later one only
the smallest. Loads for which a process imports torch, or what exports need, aren't counted.
"""

import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path
from queue import SimpleQueue

import click
import torch
from torch import nn

from infadapter_server.executors.messages import (
    ExecutorReady,
    LoadModel,
    ModelLoaded,
    Outcome,
    Report,
    UnloadModel,
)
from infadapter_server.executors.thread import ThreadExecutor
from infadapter_server.networks.ladder import build
from infadapter_server.networks.models import open_stored
from infadapter_server.networks.resnet import resnet
from infadapter_server.networks.signatures import SIGNATURES
from infadapter_server.networks.stored import Format, Stored

MIB = 2**20
SIZES = (1, 2, 4, 8)


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
def main(rounds: int) -> None:
    print(f"{'model':22} {'file MiB':>9} {'memory MiB':>11} {'first load s':>13} {'later ms':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for stored in _models(Path(folder)):
            size = Path(stored.file).stat().st_size if stored.file else 0
            memory, first_s, later_s = _loads(stored, rounds)
            label = f"{stored.variant or stored.name}, {stored.format}"
            print(
                f"{label:22} {size / MIB:9.1f} {memory / MIB:11.1f} "
                f"{first_s:13.2f} {1000 * later_s:9.0f}",
                flush=True,
            )


def _models(folder: Path) -> Iterator[Stored]:
    for variant in ("glyph-3", "glyph-5"):
        yield _stored(variant, Format.VARIANT, None, variant)
    for name, network in (("glyph-3", build("glyph-3")), ("resnet18", resnet("resnet18").eval())):
        shape = SIGNATURES[name].input_shape
        weights, script, export = (folder / f"{name}.{end}" for end in ("pth", "pt", "pt2"))
        torch.save(network.state_dict(), weights)
        yield _stored(name, Format.VARIANT, weights, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            traced = torch.jit.trace(network, torch.zeros(2, *shape))  # type: ignore[no-untyped-call]
            torch.jit.save(traced, str(script))
        yield _stored(name, Format.TORCHSCRIPT, script)
        _export(network, shape, export)
        yield _stored(name, Format.EXPORT, export)
        onnx = folder / f"{name}.onnx"
        _onnx(name, network, shape, onnx)
        yield _stored(name, Format.ONNX, onnx)


def _export(network: nn.Module, shape: tuple[int, ...], path: Path) -> None:
    batch = torch.export.Dim("n", min=1, max=64)
    program = torch.export.export(network, (torch.zeros(2, *shape),), dynamic_shapes=({0: batch},))
    torch.export.save(program, path)


def _onnx(name: str, network: nn.Module, shape: tuple[int, ...], path: Path) -> None:
    names = SIGNATURES[name].input_name, SIGNATURES[name].output_name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is the old one
        torch.onnx.export(
            network,
            (torch.zeros(1, *shape),),
            str(path),
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={each: {0: "n"} for each in names},
            dynamo=False,
        )


def _stored(name: str, form: Format, file: Path | None, variant: str = "") -> Stored:
    return Stored(
        name=name,
        version="1",
        format=form,
        signature=SIGNATURES[name],
        variant=variant,
        file=None if file is None else str(file),
        batch_sizes=SIZES,
    )


def _loads(stored: Stored, rounds: int) -> tuple[int, float, float]:
    """Bytes, and seconds of first and of later loads, after one that imports what is needed."""
    reports: SimpleQueue[Report] = SimpleQueue()
    executor = ThreadExecutor("executor", open_stored)
    executor.start(reports.put)
    assert isinstance(reports.get(), ExecutorReady)

    def load(order: Stored) -> tuple[int, float]:
        began_s = time.process_time()
        executor.submit(LoadModel(order, 0.0, inf))
        report = reports.get()
        took_s = time.process_time() - began_s
        assert isinstance(report, ModelLoaded)
        assert report.outcome is Outcome.DONE, report.error
        executor.submit(UnloadModel(order.name))
        return report.weights_bytes, took_s

    smallest = replace(stored, batch_sizes=SIZES[:1])
    size, _ = load(smallest)
    spent = [(load(stored)[1], load(smallest)[1]) for _ in range(rounds)]
    executor.stop(10)
    first_s, later_s = map(statistics.median, zip(*spent, strict=True))
    return size, first_s, later_s


if __name__ == "__main__":
    main()
