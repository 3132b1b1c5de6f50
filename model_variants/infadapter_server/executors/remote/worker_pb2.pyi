from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    DONE: _ClassVar[Outcome]
    TOO_LATE: _ClassVar[Outcome]
    FAILED: _ClassVar[Outcome]
OUTCOME_UNSPECIFIED: Outcome
DONE: Outcome
TOO_LATE: Outcome
FAILED: Outcome

class Order(_message.Message):
    __slots__ = ("hello", "ping", "load", "infer", "unload")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    INFER_FIELD_NUMBER: _ClassVar[int]
    UNLOAD_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    ping: Ping
    load: Load
    infer: Infer
    unload: Unload
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., load: _Optional[_Union[Load, _Mapping]] = ..., infer: _Optional[_Union[Infer, _Mapping]] = ..., unload: _Optional[_Union[Unload, _Mapping]] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("state", "pong", "loaded", "inferred")
    STATE_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    INFERRED_FIELD_NUMBER: _ClassVar[int]
    state: State
    pong: Pong
    loaded: Loaded
    inferred: Inferred
    def __init__(self, state: _Optional[_Union[State, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., loaded: _Optional[_Union[Loaded, _Mapping]] = ..., inferred: _Optional[_Union[Inferred, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol", "controller")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CONTROLLER_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    controller: str
    def __init__(self, protocol: _Optional[int] = ..., controller: _Optional[str] = ...) -> None: ...

class State(_message.Message):
    __slots__ = ("protocol", "worker", "memory_bytes", "resident", "on_disk", "loads_beside")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_FIELD_NUMBER: _ClassVar[int]
    ON_DISK_FIELD_NUMBER: _ClassVar[int]
    LOADS_BESIDE_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    worker: str
    memory_bytes: int
    resident: _containers.RepeatedCompositeFieldContainer[Loaded]
    on_disk: _containers.RepeatedCompositeFieldContainer[OnDisk]
    loads_beside: bool
    def __init__(self, protocol: _Optional[int] = ..., worker: _Optional[str] = ..., memory_bytes: _Optional[int] = ..., resident: _Optional[_Iterable[_Union[Loaded, _Mapping]]] = ..., on_disk: _Optional[_Iterable[_Union[OnDisk, _Mapping]]] = ..., loads_beside: _Optional[bool] = ...) -> None: ...

class OnDisk(_message.Message):
    __slots__ = ("name", "version", "file_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FILE_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    file_bytes: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., file_bytes: _Optional[int] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ("sent_s",)
    SENT_S_FIELD_NUMBER: _ClassVar[int]
    sent_s: float
    def __init__(self, sent_s: _Optional[float] = ...) -> None: ...

class Pong(_message.Message):
    __slots__ = ("sent_s", "here_s")
    SENT_S_FIELD_NUMBER: _ClassVar[int]
    HERE_S_FIELD_NUMBER: _ClassVar[int]
    sent_s: float
    here_s: float
    def __init__(self, sent_s: _Optional[float] = ..., here_s: _Optional[float] = ...) -> None: ...

class Load(_message.Message):
    __slots__ = ("name", "version", "format", "variant", "file", "input_name", "output_name", "input_shape", "output_shape", "batch_sizes", "earliest_s", "latest_s", "profiled_points")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    INPUT_NAME_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_SHAPE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SHAPE_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZES_FIELD_NUMBER: _ClassVar[int]
    EARLIEST_S_FIELD_NUMBER: _ClassVar[int]
    LATEST_S_FIELD_NUMBER: _ClassVar[int]
    PROFILED_POINTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    format: str
    variant: str
    file: str
    input_name: str
    output_name: str
    input_shape: _containers.RepeatedScalarFieldContainer[int]
    output_shape: _containers.RepeatedScalarFieldContainer[int]
    batch_sizes: _containers.RepeatedScalarFieldContainer[int]
    earliest_s: float
    latest_s: float
    profiled_points: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., format: _Optional[str] = ..., variant: _Optional[str] = ..., file: _Optional[str] = ..., input_name: _Optional[str] = ..., output_name: _Optional[str] = ..., input_shape: _Optional[_Iterable[int]] = ..., output_shape: _Optional[_Iterable[int]] = ..., batch_sizes: _Optional[_Iterable[int]] = ..., earliest_s: _Optional[float] = ..., latest_s: _Optional[float] = ..., profiled_points: _Optional[_Iterable[str]] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ("shape", "values")
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    shape: _containers.RepeatedScalarFieldContainer[int]
    values: bytes
    def __init__(self, shape: _Optional[_Iterable[int]] = ..., values: _Optional[bytes] = ...) -> None: ...

class Infer(_message.Message):
    __slots__ = ("run", "model", "rows", "earliest_s", "latest_s", "point")
    RUN_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    EARLIEST_S_FIELD_NUMBER: _ClassVar[int]
    LATEST_S_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    run: int
    model: str
    rows: Tensor
    earliest_s: float
    latest_s: float
    point: str
    def __init__(self, run: _Optional[int] = ..., model: _Optional[str] = ..., rows: _Optional[_Union[Tensor, _Mapping]] = ..., earliest_s: _Optional[float] = ..., latest_s: _Optional[float] = ..., point: _Optional[str] = ...) -> None: ...

class Unload(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class Loaded(_message.Message):
    __slots__ = ("model", "outcome", "begin_s", "end_s", "weights_bytes", "execution_s", "error", "version", "points")
    class ExecutionSEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: float
        def __init__(self, key: _Optional[int] = ..., value: _Optional[float] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    BEGIN_S_FIELD_NUMBER: _ClassVar[int]
    END_S_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_BYTES_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_S_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    model: str
    outcome: Outcome
    begin_s: float
    end_s: float
    weights_bytes: int
    execution_s: _containers.ScalarMap[int, float]
    error: str
    version: str
    points: _containers.RepeatedCompositeFieldContainer[Point]
    def __init__(self, model: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., begin_s: _Optional[float] = ..., end_s: _Optional[float] = ..., weights_bytes: _Optional[int] = ..., execution_s: _Optional[_Mapping[int, float]] = ..., error: _Optional[str] = ..., version: _Optional[str] = ..., points: _Optional[_Iterable[_Union[Point, _Mapping]]] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("name", "accuracy", "execution_s")
    class ExecutionSEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: float
        def __init__(self, key: _Optional[int] = ..., value: _Optional[float] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    accuracy: float
    execution_s: _containers.ScalarMap[int, float]
    def __init__(self, name: _Optional[str] = ..., accuracy: _Optional[float] = ..., execution_s: _Optional[_Mapping[int, float]] = ...) -> None: ...

class Inferred(_message.Message):
    __slots__ = ("run", "outcome", "begin_s", "end_s", "outputs", "error")
    RUN_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    BEGIN_S_FIELD_NUMBER: _ClassVar[int]
    END_S_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    run: int
    outcome: Outcome
    begin_s: float
    end_s: float
    outputs: Tensor
    error: str
    def __init__(self, run: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., begin_s: _Optional[float] = ..., end_s: _Optional[float] = ..., outputs: _Optional[_Union[Tensor, _Mapping]] = ..., error: _Optional[str] = ...) -> None: ...
