"""
Enable tracing by OpenTelemetry's variables; without them nothing of it is imported.

If tracing is impossible, the server serves all the same: a cluster may set the variables for every
pod, and a missing collector is no reason to fail. A warning says what to do.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infadapter_server.serving.tracing.spans import Tracing

__all__ = ["exporters_wanted", "open_tracing"]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_log = logging.getLogger(__name__)


def exporters_wanted(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of exporters; `otlp` if only its endpoint is set."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    named = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if not named and any(environ.get(name) for name in _ENDPOINTS):
        named = "otlp"
    names = dict.fromkeys(name.strip() for name in named.split(","))
    return tuple(name for name in names if name not in ("", "none"))


def open_tracing(environ: Mapping[str, str]) -> "Tracing | None":
    """Return the tracing, or None if it isn't wanted or impossible; then a warning says why."""
    names = exporters_wanted(environ)
    if not names:
        return None
    try:
        from infadapter_server.serving.tracing.exporters import UnknownExporter, provider
        from infadapter_server.serving.tracing.spans import Tracing
    except ImportError as error:
        _log.warning(
            "OTEL_* asks for traces, but %s isn't installed: pip install 'infadapter[tracing]', or "
            "set OTEL_SDK_DISABLED=true. Nothing is traced.",
            error.name,
        )
        return None
    try:
        return Tracing(provider(names, environ))
    except UnknownExporter as error:
        _log.warning("%s Nothing is traced.", error)
    except Exception as error:  # noqa: BLE001 - whatever the SDK makes of the environment
        _log.warning("OTEL_* isn't understood: %s. Nothing is traced.", error)
    return None
