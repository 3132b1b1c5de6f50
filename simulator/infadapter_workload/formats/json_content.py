"""Parse a JSON document as a whole, up to a maximum size."""

import json
from decimal import Decimal
from typing import Any

from infadapter_workload.formats.stream import Stream
from infadapter_workload.trace import TraceError


def parsed(stream: Stream) -> Any:
    """Return the document with its numbers as decimals. Raises TraceError."""
    content = stream.content()
    try:
        return json.loads(content, parse_float=Decimal, parse_int=Decimal)
    except json.JSONDecodeError as error:
        raise TraceError(f"{stream.path}:{error.lineno}: {error.msg} in the JSON.") from error
    except (UnicodeDecodeError, RecursionError, ValueError, ArithmeticError) as error:
        raise stream.error("is no JSON that can be read") from error
