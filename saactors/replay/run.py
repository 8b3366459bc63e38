"""Build the system that the options describe, run it, and say what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import trio

from saactors.errors import SaactorsError
from saactors.esp.sa_formats.wireshark import format_key_table
from saactors.observe.observer import Listener
from saactors.replay.build import Replay, build_replay
from saactors.replay.options import ReplayOptions
from saactors.replay.outcome import ended_event, result_of, started_event
from saactors.report.page import write_page
from saactors.report.result import RunResult
from saactors.runtime.clock import VirtualClock
from saactors.runtime.scheduler import seed_scheduler
from saactors.scenario.sa_files import write_sa_file
from saactors.topology import run_system
from saactors.traces.reader import CaptureReader

Progress = Callable[[CaptureReader, int], None]  # the capture, packets sent or dropped so far


def replay(
    options: ReplayOptions,
    *,
    progress: Progress | None = None,
    listeners: Sequence[Listener] = (),
    signals: Sequence[tuple[int, bytes]] = (),
    scheduler_seed: int | None = None,
    stop_on_signal: bool = False,
    verbose: bool = False,
) -> RunResult:
    """Replay a capture; returns when its last packet has left.

    ``listeners`` hear of events as they happen, of every burst and tick too if ``verbose``.
    ``signals`` change the rule meanwhile: what each
    says (see ``saactors.placement.change``), and when it arrives, in ns. ``scheduler_seed``
    shuffles the actors' turns within an instant otherwise than the run's seed would; decisions stay
    the same (law 7). With ``stop_on_signal`` SIGINT and SIGTERM end the run early, and its result
    says so.

    Raises:
        UserError: what the options name cannot be used; nothing has been started then.
        OutputError: a file could not be written.
    """
    with ExitStack() as files:
        built = build_replay(options, files, progress, listeners, signals, verbose=verbose)
        seed_scheduler(options.seed if scheduler_seed is None else scheduler_seed)
        began = time.monotonic()
        _run(built, stop_on_signal=stop_on_signal)
        wall_s = time.monotonic() - began
        if options.write_keys is not None:
            write_sa_file(options.write_keys, format_key_table(built.security.associations))
        result = result_of(built, wall_s)
    if options.report is not None:
        write_page(result, options.report)
    return result


def _run(built: Replay, *, stop_on_signal: bool) -> None:
    built.tell(started_event(built))
    clock = built.system.clock
    trio_clock = clock if isinstance(clock, VirtualClock) else None
    try:
        trio.run(_supervised, built, stop_on_signal, clock=trio_clock)
    except BaseExceptionGroup as problems:
        raise _first(problems) from None
    built.tell(ended_event(built))
    built.observers.flush()


async def _supervised(built: Replay, stop_on_signal: bool) -> None:
    await run_system(built.system, stop_on_signal=stop_on_signal)


def _first(problems: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error of ours among what the actors raised, or all of it if none is ours."""
    ours = problems.subgroup(SaactorsError)
    found: BaseException = ours or problems
    while ours is not None and isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
