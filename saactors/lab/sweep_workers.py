"""Who does a sweep's work: this process, processes of its own, or a Dask cluster.

All three take the pieces in the order in which they are given and hand each result back as soon as
it is there, so that it can be kept at once. A worker that dies loses the piece that it was at;
Dask gives that to another one, and gives up on a piece that has cost several workers their life.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import Any, Final, NamedTuple

from saactors.errors import RunError
from saactors.lab.sweep_cell import Done

_CONNECT_S: Final = "10s"  # a scheduler that has not answered by then is not there
_GONE: Final = "dask: the scheduler has gone away; what is finished is kept, so run it again"
_LOOPBACK: Final = "127.0.0.1"


class Piece(NamedTuple):
    """A function to be called with arguments, and the name that its result goes by."""

    name: str
    function: Callable[..., Done]
    arguments: tuple[Any, ...]


Run = Callable[[Sequence[Piece]], Iterator[tuple[str, Done]]]


@contextmanager
def crew(workers: int | None, scheduler: str | None) -> Iterator[Run]:
    """Workers, until the end of the block: ``workers`` processes, or those of ``scheduler``.

    0 workers stand for this process, None for as many as there are cores.

    Raises:
        RunError: the scheduler cannot be reached, or goes away.
    """
    if scheduler is None and workers == 0:
        yield _run_here
        return
    distributed = _distributed()
    if scheduler is not None:
        with _connected(scheduler) as client:
            yield lambda pieces: _run_on(client, pieces)
        return
    with ExitStack() as ends:
        with _interrupts_kept_from_children():
            cluster = distributed.LocalCluster(
                n_workers=workers or os.cpu_count() or 1,
                threads_per_worker=1,
                processes=True,
                host=_LOOPBACK,
                dashboard_address=None,
                memory_limit=0,  # a trace is as large as it is
                silence_logs=logging.CRITICAL,
            )
        ends.enter_context(cluster)
        client = ends.enter_context(distributed.Client(cluster))
        yield lambda pieces: _run_on(client, pieces)


@contextmanager
def _interrupts_kept_from_children() -> Iterator[None]:
    """Ctrl-C goes to every process of a terminal; workers would show a traceback each.

    Threads that begin in here have the signal blocked for good. One of them starts the workers, and
    later those that take a dead one's place, and a process inherits what its starter has blocked.
    """
    # Python's own helper process unblocks the signal in whatever thread starts it first.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _distributed() -> Any:  # noqa: ANN401 - most of its functions have no types
    # Imported here: a quarter of a second, and threads, that only a sweep should have.
    import distributed  # noqa: PLC0415

    # We tell what matters ourselves. It gives some of its loggers levels of their own.
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)
    return distributed


@contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    try:
        client = _distributed().Client(scheduler, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as problem:
        expected = "expected the address of a Dask scheduler, such as tcp://192.0.2.1:8786"
        raise RunError(f"dask: found none at {scheduler}, {expected}") from problem
    with client:
        yield client


def _run_here(pieces: Sequence[Piece]) -> Iterator[tuple[str, Done]]:
    for piece in pieces:
        yield piece.name, piece.function(*piece.arguments)


def _run_on(client: Any, pieces: Sequence[Piece]) -> Iterator[tuple[str, Done]]:  # noqa: ANN401 - a Client
    submitted = {
        client.submit(
            piece.function, *piece.arguments, key=f"saactors-{piece.name}", pure=False
        ): piece.name
        for piece in pieces
    }
    with client.as_current():  # of whose futures these are
        completed = iter(_distributed().as_completed(submitted))
    while True:
        try:
            future = next(completed)
            done = _result_of(future)
        except StopIteration:
            return
        except (OSError, CancelledError) as problem:  # of its connection; asked for in vain
            raise RunError(_GONE) from problem
        yield submitted[future], done
        future.release()


def _result_of(future: Any) -> Done:  # noqa: ANN401 - a Future
    if future.status == "finished":
        done: Done = future.result()
        return done
    if future.status == "error":
        problem = future.exception()
        return Done(None, f"{type(problem).__name__}: {problem}")
    raise RunError(_GONE)  # cancelled or lost
