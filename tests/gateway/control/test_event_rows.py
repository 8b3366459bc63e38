"""Events as rows on the control socket: the same as in the event log, and back."""

from __future__ import annotations

from pathlib import Path

import msgpack
import pytest

from saactors.errors import ControlError
from saactors.gateway.control.event_rows import RowReader, attachment_answer, row_of
from saactors.observe.event_log import FORMAT_VERSION, MAGIC, read_event_log
from saactors.observe.events import PacketTraced, RuleChanged, SaDeleted


def test_events_come_back_from_rows_as_they_were() -> None:
    """Of every shape, by the names that the gateway gave; unknown kinds and fields are skipped."""
    sent = [
        SaDeleted(5, 1, 0x1000, "asked"),
        PacketTraced(6, 1, "nic", None, None, "encrypted"),
        RuleChanged(7, "metric", {"decay": "factor:0.5", "bonus": 3}),
    ]
    reader = RowReader(attachment_answer())
    assert [reader.event_of(row_of(event)) for event in sent] == sent
    later = {
        "format": 1,
        "kinds": [["new_kind", ["time_ns"]],
                  ["sa_deleted", ["time_ns", "sa", "spi", "reason", "colour"]]],
    }  # fmt: skip
    assert RowReader(later).event_of([0, 5]) is None
    assert RowReader(later).event_of([1, 5, 1, 0x1000, "asked", "red"]) == sent[0]
    with pytest.raises(ControlError, match="a row that does not fit its kind"):
        reader.event_of([0])
    with pytest.raises(ControlError, match="found format 9, expected format 1"):
        RowReader({"format": 9, "kinds": []})
    with pytest.raises(ControlError, match="kinds that are no list of names"):
        RowReader({"format": 1, "kinds": 3})


def test_rows_are_the_event_logs(tmp_path: Path) -> None:
    """So whoever listens can write a log with what came, and read it like any other."""
    log = tmp_path / "events"
    event = SaDeleted(5, 1, 0x1000, "asked")
    answer = attachment_answer()
    header = [MAGIC, answer["format"], answer["version"], answer["kinds"]]
    log.write_bytes(msgpack.packb(header) + msgpack.packb(row_of(event)))
    assert list(read_event_log(log)) == [event]
    assert answer["format"] == FORMAT_VERSION
