"""Log lines as events, so that whoever attaches sees them among all else that happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

import structlog

from saactors.observe.events import Logged
from saactors.observe.observer import Emitter
from saactors.runtime.clock import Clock

_TAKEN: Final = frozenset({"event", "level", "timestamp"})


@contextmanager
def log_told(emit: Emitter, clock: Clock) -> Iterator[None]:
    """Tell of every log line from here to the end of the ``with``."""
    processors: list[Any] = structlog.get_config()["processors"]
    teller = _teller(emit, clock)
    processors.insert(-1, teller)  # behind those that complete a line, before the one that writes
    try:
        yield
    finally:
        processors.remove(teller)


def _teller(
    emit: Emitter, clock: Clock
) -> Callable[[object, str, MutableMapping[str, Any]], MutableMapping[str, Any]]:
    def tell(_logger: object, method: str, line: MutableMapping[str, Any]) -> Any:  # noqa: ANN401 - structlog's own
        if emit.wants(Logged):
            fields = {name: _plain(line[name]) for name in sorted(line) if name not in _TAKEN}
            level = str(line.get("level", method))
            emit(Logged(clock.now_ns(), level, str(line.get("event", "")), fields))
        return line

    return tell


def _plain(value: object) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
