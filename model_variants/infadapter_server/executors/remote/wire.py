"""Convert orders and reports to messages of worker.proto, with times on the other side's clock."""

from collections.abc import Callable

from infadapter_server.executors.messages import Infer, Inferred, LoadModel, ModelLoaded, Outcome
from infadapter_server.executors.remote import worker_pb2 as pb
from infadapter_server.executors.remote.tensors import (
    BadMessage,
    fits,
    read_tensor,
    written_tensor,
)
from infadapter_server.executors.slots import joint_shape
from infadapter_server.networks.adaptive.points import Point
from infadapter_server.networks.signatures import Signature
from infadapter_server.networks.stored import Format, Stored

PROTOCOL = 1
"""Version, raised with incompatible changes."""
DRIVE = "/infadapter.worker.v1.Worker/Drive"
Translate = Callable[[float], float]
_OUTCOMES = {
    Outcome.DONE: pb.Outcome.DONE,
    Outcome.TOO_LATE: pb.Outcome.TOO_LATE,
    Outcome.FAILED: pb.Outcome.FAILED,
}
_READ_OUTCOMES = {number: outcome for outcome, number in _OUTCOMES.items()}


def written_infer(order: Infer, theirs: Translate) -> pb.Order:
    shape = joint_shape(order.rows)
    if shape is None:
        raise BadMessage("The rows of this batch have different shapes.")
    if not fits(shape):
        raise BadMessage(f"No message takes inputs of the shape {list(shape)}.")
    infer = pb.Infer(
        run=order.run,
        model=order.model,
        rows=written_tensor(order.rows, shape),
        earliest_s=_at_once_or(theirs(order.earliest_s)),
        latest_s=theirs(order.latest_s),
        point=order.point,
    )
    return pb.Order(infer=infer)


def _at_once_or(theirs_s: float) -> float:
    """
    Keep zero, which means at once on any machine, even if the other clock started later than ours.
    """
    return max(0.0, theirs_s)


def read_infer(infer: pb.Infer) -> Infer:
    rows = (read_tensor(infer.rows),)
    window = (infer.earliest_s, infer.latest_s)
    return Infer(infer.run, infer.model, rows, *window, infer.point)


def written_load(order: LoadModel, theirs: Translate) -> pb.Order:
    stored = order.stored
    if stored.rungs:
        raise BadMessage(f"{stored.name} is a ladder, which no worker takes: run it in processes.")
    load = pb.Load(
        name=stored.name,
        version=stored.version,
        format=stored.format.value,
        variant=stored.variant,
        # Its folders are the controller's; the worker looks for it where its own models are.
        file=stored.file.rpartition("/")[2] if stored.file else "",
        input_name=stored.signature.input_name,
        output_name=stored.signature.output_name,
        input_shape=stored.signature.input_shape,
        output_shape=stored.signature.output_shape,
        batch_sizes=stored.batch_sizes,
        earliest_s=_at_once_or(theirs(order.earliest_s)),
        latest_s=theirs(order.latest_s),
        profiled_points=stored.profiled_points,
    )
    return pb.Order(load=load)


def read_load(load: pb.Load) -> LoadModel:
    try:
        form = Format(load.format)
    except ValueError:
        raise BadMessage(f"{load.format!r} is no format of models.") from None
    stored = Stored(
        name=load.name,
        version=load.version,
        format=form,
        signature=Signature(
            input_shape=tuple(load.input_shape),
            output_shape=tuple(load.output_shape),
            input_name=load.input_name,
            output_name=load.output_name,
        ),
        variant=load.variant,
        file=load.file or None,
        batch_sizes=tuple(load.batch_sizes),
        profiled_points=tuple(load.profiled_points),
    )
    return LoadModel(stored, load.earliest_s, load.latest_s)


def written_loaded(report: ModelLoaded) -> pb.Loaded:
    return pb.Loaded(
        model=report.model,
        outcome=_OUTCOMES[report.outcome],
        begin_s=report.begin_s,
        end_s=report.end_s,
        weights_bytes=report.weights_bytes,
        execution_s=report.execution_s,
        error=report.error,
        version=report.version,
        points=[
            pb.Point(name=p.name, accuracy=p.accuracy, execution_s=p.execution_s)
            for p in report.points
        ],
    )


def read_loaded(loaded: pb.Loaded, ours: Translate) -> ModelLoaded:
    return ModelLoaded(
        loaded.model,
        _read_outcome(loaded.outcome),
        ours(loaded.begin_s),
        ours(loaded.end_s),
        loaded.weights_bytes,
        dict(loaded.execution_s),
        loaded.error,
        loaded.version,
        tuple(Point(each.name, each.accuracy, dict(each.execution_s)) for each in loaded.points),
    )


def written_inferred(report: Inferred) -> pb.Inferred:
    outputs = report.outputs
    return pb.Inferred(
        run=report.run,
        outcome=_OUTCOMES[report.outcome],
        begin_s=report.begin_s,
        end_s=report.end_s,
        outputs=None if outputs is None else written_tensor((outputs,), outputs.shape),
        error=report.error,
    )


def read_inferred(inferred: pb.Inferred, ours: Translate) -> Inferred:
    return Inferred(
        inferred.run,
        _read_outcome(inferred.outcome),
        ours(inferred.begin_s),
        ours(inferred.end_s),
        read_tensor(inferred.outputs) if inferred.HasField("outputs") else None,
        inferred.error,
    )


def _read_outcome(number: pb.Outcome) -> Outcome:
    outcome = _READ_OUTCOMES.get(number)
    if outcome is None:
        raise BadMessage(f"{number} is no outcome.")
    return outcome
