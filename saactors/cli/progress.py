"""The progress bar of a replay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from saactors.replay.run import Progress

_INTERVAL_S: Final = 0.1  # as often as rich draws; the replay tells of every burst


@contextmanager
def progress_bar(*, shown: bool) -> Iterator[Progress | None]:
    """A bar on standard error while the replay runs; nothing where nobody would see it."""
    if not shown:
        yield None
        return
    # Imported here, because most runs in scripts never show it.
    from rich import progress as bars  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TextColumn("{task.fields[packets]:,} packets"),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting (the first run compiles)", total=None, packets=0)
        due_s = 0.0

        def advance(capture: Any, packets: int) -> None:  # noqa: ANN401 - a CaptureReader
            nonlocal due_s
            if packets == 0 or time.monotonic() < due_s:
                return
            due_s = time.monotonic() + _INTERVAL_S
            read = capture.share_read
            # Of a pipe nobody knows how much is to come.
            done = None if read is None else read * packets / capture.packets_read
            total = None if read is None else 1.0
            bar.update(task, description="replaying", total=total, completed=done, packets=packets)

        yield advance
