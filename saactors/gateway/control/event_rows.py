"""Events as rows of plain values, laid out as in the event log, and back.

    kinds      [[kind, [field, …]], …]              once, in the answer to ``attach``
    row        [index in kinds, time_ns, field, …]  in pushes

As in a log, a reader goes by the names that it was given: kinds and fields that it does not know
are skipped, fields that are missing take their defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from saactors import __version__
from saactors.errors import ControlError
from saactors.observe.events import EVENTS, FIELDS, Event

# As saactors.observe.event_log.FORMAT_VERSION, which is not imported here: it needs NumPy.
FORMAT: Final = 1
KINDS: Final = [[kind, list(names)] for kind, names in FIELDS.items()]

_ROWS: Final = {
    event_type: (index, attrgetter(*FIELDS[event_type.kind]))
    for index, event_type in enumerate(EVENTS.values())
}


def attachment_answer() -> dict[str, Any]:
    """What ``attach`` answers: all that is needed to read the rows, or to begin a log with."""
    return {"format": FORMAT, "version": __version__, "kinds": KINDS}


def row_of(event: Event) -> list[Any]:
    """An event as a row; mappings by sorted key, as in a log."""
    index, values_of = _ROWS[type(event)]
    values: Iterable[Any] = values_of(event)
    return [index, *(_sorted(value) for value in values)]


class RowReader:
    """Turns rows back into events, by the names in an answer to ``attach``.

    Raises ControlError for a format that we do not read, or for names that are none.
    """

    def __init__(self, answer: Mapping[str, Any]) -> None:
        found = answer.get("format")
        if found != FORMAT:
            raise ControlError(
                "events", f"format {found!r}", f"format {FORMAT}", "use saactors of one release"
            )
        try:
            self._kinds = [(EVENTS.get(kind), tuple(names)) for kind, names in answer["kinds"]]
        except (LookupError, TypeError, ValueError):
            raise ControlError("events", "kinds that are no list of names") from None

    def event_of(self, row: Sequence[Any]) -> Event | None:
        """The event; None for a kind that only a later saactors knows.

        Raises:
            ControlError: a row that does not fit its kind.
        """
        try:
            event_type, names = self._kinds[row[0]]
            if event_type is None:
                return None
            known = FIELDS[event_type.kind]
            values = zip(names, row[1:], strict=True)
            event: Event = event_type(**{name: value for name, value in values if name in known})
        except (LookupError, TypeError, ValueError):
            raise ControlError("events", "a row that does not fit its kind") from None
        return event


def _sorted(value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    return dict(sorted(value.items())) if isinstance(value, Mapping) else value
