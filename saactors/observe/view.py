"""Events and log lines for people and programs, through structlog.

Two formats: ``console`` is for reading (durations with units, colours on a terminal only), ``json``
is one object per line with every number as it is.

Tracebacks are always plain, made before a renderer sees them. Structlog's own default shows local
variables where rich is installed, and locals of a crypto function are keys (law 10).
"""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Mapping
from typing import Final, Literal, TextIO, TypeAlias

import structlog
from structlog.typing import EventDict, Processor

from saactors.observe.events import FIELDS, Event
from saactors.observe.units import duration, instant, plain

LogFormat: TypeAlias = Literal["console", "json"]

LEVELS: Final = ("debug", "info", "warning", "error")
_KIND_WIDTH: Final = 16  # the longest kind, lifetime_reached
_TIME_WIDTH: Final = 18  # up to 999 s stand in line


def configure_logging(level: str, log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Set structlog up for the whole process: from ``level`` on, to ``stream`` (standard error)."""
    stream = stream or sys.stderr
    stamp = structlog.processors.TimeStamper(fmt="iso" if log_format == "json" else "%H:%M:%S")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            stamp,
            structlog.processors.format_exc_info,
            _renderer(log_format, stream, event_width=0),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


class EventView:
    """Writes one line per event to ``stream``; subscribe ``show``, or call it for each."""

    __slots__ = ("_fields", "_log")

    def __init__(self, log_format: LogFormat, stream: TextIO) -> None:
        self._fields = _raw_fields if log_format == "json" else _readable_fields
        renderer = _renderer(log_format, stream, event_width=_KIND_WIDTH)
        self._log = structlog.wrap_logger(
            structlog.PrintLogger(stream),
            processors=[_kind_first, renderer] if log_format == "json" else [renderer],
            wrapper_class=structlog.BoundLogger,
        )

    def show(self, event: Event) -> None:
        """Write the line."""
        self._log.msg(event.kind, **self._fields(event))


def _raw_fields(event: Event) -> dict[str, object]:
    """Fields as they are; what JSON has no number for is null."""
    values = ((name, getattr(event, name)) for name in FIELDS[event.kind])
    return {name: _number_or_null(value) for name, value in values}


def _number_or_null(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _number_or_null(entry) for key, entry in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _readable_fields(event: Event) -> dict[str, object]:
    """Fields with units, in the event's order; mappings spread out, absent values left out."""
    shown: dict[str, object] = {"timestamp": instant(event.time_ns).rjust(_TIME_WIDTH)}
    for name in FIELDS[event.kind][1:]:
        value = getattr(event, name)
        if isinstance(value, Mapping):
            shown |= {k.removesuffix("_ns"): _readable(k, entry) for k, entry in value.items()}
        elif value is not None:
            shown[name.removesuffix("_ns")] = _readable(name, value)
    return shown


def _readable(name: str, value: object) -> object:
    match value:
        case int() | float() if name.endswith("_ns"):
            return duration(value).replace(" ", "")
        case int() if name.endswith("spi"):
            return f"0x{value:08x}"
        case float():
            return plain(value)
        case _:
            return value


def _kind_first(_logger: object, _method: str, fields: EventDict) -> EventDict:
    return {"kind": fields.pop("event"), **fields}


def _renderer(log_format: LogFormat, stream: TextIO, event_width: int) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty() and "NO_COLOR" not in os.environ,
        sort_keys=False,
        pad_event_to=event_width,
        exception_formatter=structlog.dev.plain_traceback,
    )
