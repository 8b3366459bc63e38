"""``saactors sweep STUDY.toml``: traces × rules × parameters × cards × seeds, to be continued."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from saactors.cli.lab_screen import print_sections, step_bar, warn
from saactors.cli.main import INTERRUPTED
from saactors.cli.output import standard_output

if TYPE_CHECKING:
    from types import FrameType

    import polars as pl

    from saactors.lab.sweep_study import StudyRun

PAGE: Final = "questions.html"


@click.command("sweep")
@click.argument("study", metavar="STUDY.toml", type=click.Path(dir_okay=False))
@click.option(
    "--output", type=click.Path(file_okay=False), help="Folder for results [STUDY.sweep]."
)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    metavar="N",
    help="Processes that do the work; 0: this one does [one per core].",
)
@click.option("--dask", metavar="ADDRESS", help="Work on the cluster of this Dask scheduler.")
@click.option(
    "--page",
    type=click.Path(dir_okay=False),
    help=f"Page with a figure per question [{PAGE} in the folder].",
)
def sweep(
    study: str, output: str | None, workers: int | None, dask: str | None, page: str | None
) -> None:
    """Run every cell of STUDY.toml that is not finished yet, and gather all of them.

    A finished cell is kept at once: whatever is killed or interrupted, run it again and it goes on
    from there. Results are in results.parquet in the folder; docs/tuning.md describes the file.
    """
    # Imported here, so that --help need not wait for it.
    from saactors.lab.sweep_study import RESULTS, StudyRun  # noqa: PLC0415

    if dask is not None and workers is not None:
        raise click.UsageError("--workers and --dask exclude each other: a cluster has its own")
    run = StudyRun(study, output)
    before = run.finished
    try:
        with terminated_like_interrupted(), step_bar(run.missing) as advance:
            advance("starting workers")
            run.complete(workers, dask, advance)
    except KeyboardInterrupt:
        kept = f"{run.finished} of {len(run.cells)} cells are kept in {run.folder}"
        click.echo(f"saactors: interrupted; {kept}; run it again to go on", err=True)
        click.get_current_context().exit(INTERRUPTED)
    for told in run.warnings:
        warn(told)
    frame = run.write()
    paths = [str(run.folder / RESULTS)]
    target = page or (str(run.folder / PAGE) if run.study.questions else None)
    if target is not None and frame.height:
        from saactors.lab.sweep_page import write_sweep_page  # noqa: PLC0415

        write_sweep_page(run.study, frame, target)
        paths.append(target)
    with standard_output():
        _print(run, frame, before, paths)
    _tell_failures(run)


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM, too, end the sweep with a word about what is kept."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print(run: StudyRun, frame: pl.DataFrame, before: int, paths: list[str]) -> None:
    if frame.height:
        from saactors.lab.sweep_report import LEGEND, best_rules_tables  # noqa: PLC0415

        print_sections(best_rules_tables(run.study, frame), LEGEND)
        click.echo()
    finished = f"{run.finished} of {len(run.cells)} cells finished"
    click.echo(f"{finished}, {before} of them before.")
    click.echo(f"written: {', '.join(paths)}")


def _tell_failures(run: StudyRun) -> None:
    """Status 1 and a line where something could not be had."""
    if not run.failures:
        return
    from saactors.errors import RunError  # noqa: PLC0415

    raise RunError(run.failure_line())
