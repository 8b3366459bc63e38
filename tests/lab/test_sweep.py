"""A sweep: every cell once, whoever dies meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nicmodel.presets import HOST
from saactors.errors import OutputError, ParameterError, RunError
from saactors.lab import sweep_cell
from saactors.lab.equipment import card_of, with_slots
from saactors.lab.load import load_trace
from saactors.lab.outcome import evaluate
from saactors.lab.page import html_of
from saactors.lab.sweep_page import page_of
from saactors.lab.sweep_report import best_rules_tables, varied_parameters
from saactors.lab.sweep_study import StudyRun, sweep
from saactors.lab.trace import lab_trace

TRACE = "synth:zipf,sas=60,packets=3000"
STUDY = f"""
traces = ["{TRACE}"]
seeds = [0, 1]
slots = [4, "10%"]
optimum = "none"
[card]
load_host_ns = [5_000, 50_000]
[[rules]]
name = "metric"
threshold = [1, 10]
[[rules]]
name = "never"
"""
CELLS = 2 * 2 * 2 * 3  # seeds, slots, load costs, settings of rules

# Work for some seconds, so that somebody can die in its middle.
LONG = """
traces = ["synth:zipf,sas=2000,packets=400000"]
slots = [50]
optimum = "none"
[[rules]]
name = "metric"
threshold = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
"""
LONG_CELLS = 20

# Dask's own threads and sockets, which it leaves to the garbage collector.
pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write a study file, and say where it is."""

    def write(text: str = STUDY, name: str = "study.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pl.DataFrame]:
    """The study, swept in this process: its file and its results."""
    path: Path = tmp_path_factory.mktemp("swept") / "study.toml"
    path.write_text(STUDY, encoding="utf-8")
    return path, sweep(path, workers=0)


def cell_files(study: Path) -> dict[str, tuple[int, int]]:
    """The cells that are kept, and what would change if one were written again."""
    kept = study.with_suffix(".sweep") / "cells"
    found = kept.glob("*.json") if kept.is_dir() else ()
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in found}


def without_wall_time(frame: pl.DataFrame) -> pl.DataFrame:
    """What a run gives whenever it is done."""
    return frame.drop("wall_s", "packets_per_s")


def test_a_row_stands_for_each_cell(swept: tuple[Path, pl.DataFrame]) -> None:
    """Every combination once, in the study's order, with what tells them apart as columns."""
    _, frame = swept
    assert frame.height == CELLS
    names = ["seed", "slots_wanted", "load_host_ns", "rule", "threshold"]
    assert frame.select(names).is_unique().all()
    assert frame["rule"].to_list() == ["metric", "metric", "never"] * (CELLS // 3)
    assert frame["trace"].unique().to_list() == [TRACE]
    assert frame["profile"].unique().to_list() == ["82599"]
    assert frame["slots"].unique().sort().to_list() == [4, 6]


def test_a_cell_is_what_the_lab_says_of_it(swept: tuple[Path, pl.DataFrame]) -> None:
    """The sweep adds nothing of its own."""
    _, frame = swept
    trace = lab_trace(load_trace(TRACE, seed=1))
    card = with_slots(card_of("82599", {"load_host_ns": 50_000}), 6)
    expected = evaluate(trace, "metric", {"threshold": 10}, card, HOST)
    found = frame.filter(
        (pl.col("seed") == 1)
        & (pl.col("slots") == 6)
        & (pl.col("load_host_ns") == 50_000)
        & (pl.col("threshold") == 10)
    ).row(0, named=True)
    for name in ("rule_ns", "never_ns", "loads", "offload_packets", "latency_p99_ns"):
        assert found[name] == getattr(expected, name), name
    assert found["bonus"] == expected.parameters["bonus"]
    assert found["decay"] == "factor:0.9"


def test_the_results_are_one_parquet_file(swept: tuple[Path, pl.DataFrame]) -> None:
    """As the frame that was returned."""
    path, frame = swept
    assert pl.read_parquet(path.with_suffix(".sweep") / "results.parquet").equals(frame)


def test_what_is_finished_is_not_run_again(swept: tuple[Path, pl.DataFrame]) -> None:
    """Not a file is touched, and the results are the same to the last digit."""
    path, frame = swept
    before = cell_files(path)
    run = StudyRun(path)
    assert (run.finished, run.missing) == (CELLS, 0)
    assert sweep(path, workers=0).equals(frame)
    assert cell_files(path) == before


def test_a_longer_study_runs_what_is_new(written: Callable[..., Path]) -> None:
    """The old cells stay, wherever the new ones stand between them."""
    path = written()
    first = sweep(path, workers=0)
    before = cell_files(path)
    written(STUDY.replace("threshold = [1, 10]", "threshold = [1, 5, 10]"))
    assert StudyRun(path).missing == CELLS // 3
    longer = sweep(path, workers=0)
    assert longer.height == CELLS * 4 // 3
    assert cell_files(path).items() >= before.items()
    assert longer.filter(pl.col("threshold") != 5, pl.col("rule") == "metric").equals(
        first.filter(pl.col("rule") == "metric")
    )


def test_a_damaged_cell_is_run_again(written: Callable[..., Path]) -> None:
    """Half a file, another program's file, a cell of an older shape."""
    path = written()
    frame = sweep(path, workers=0)
    half, other, older, *_ = sorted((path.with_suffix(".sweep") / "cells").glob("*.json"))
    half.write_bytes(half.read_bytes()[:40])
    other.write_text("[]")
    older.write_text(json.dumps({**json.loads(older.read_text()), "more": 1}))
    assert StudyRun(path).missing == 3
    assert without_wall_time(sweep(path, workers=0)).equals(without_wall_time(frame))


def test_a_capture_is_known_by_its_content(
    tmp_path: Path, written: Callable[..., Path], write_traffic: Callable[..., Path]
) -> None:
    """Moved, it is the same; with another packet, it is another."""
    packets = [(turn * 1000, turn % 7, 100) for turn in range(200)]
    write_traffic(tmp_path / "a.pcap", packets)
    text = 'traces = ["{}"]\nseeds = [0, 1]\noptimum = "none"\n[[rules]]\nname = "metric"\n'
    path = written(text.format("a.pcap"))
    assert sweep(path, workers=0).height == 1  # a seed does not make a capture another
    (tmp_path / "a.pcap").rename(tmp_path / "b.pcap")
    written(text.format("b.pcap"))
    assert StudyRun(path).missing == 0
    assert sweep(path, workers=0)["trace"].to_list() == ["b.pcap"]
    write_traffic(tmp_path / "b.pcap", [*packets, (200_000, 1, 100)])
    assert StudyRun(path).missing == 1


def test_a_group_of_cells_has_one_optimum(written: Callable[..., Path]) -> None:
    """Per trace, slots and card; the cells stay when another kind of optimum is asked for."""
    path = written(STUDY.replace('"none"', '"prefetch"'))
    run = StudyRun(path)
    told: list[str] = []
    run.complete(workers=0, advance=told.append)
    assert len(told) == CELLS + CELLS // 3
    frame = run.write()
    optima = path.with_suffix(".sweep") / "optima"
    assert len(list(optima.glob("*.json"))) == CELLS // 3
    place = ["seed", "slots_wanted", "load_host_ns"]
    assert frame.group_by(place).agg(pl.col("optimum_lower_ns").n_unique())[
        "optimum_lower_ns"
    ].to_list() == [1] * (CELLS // 3)
    assert frame.filter(pl.col("rule") == "never")["saving_percent"].to_list() == [0.0] * 8
    written(STUDY.replace('"none"', '"demand"'))
    assert StudyRun(path).missing == CELLS // 3  # optima alone


def test_without_an_optimum_there_is_no_saving_to_tell(swept: tuple[Path, pl.DataFrame]) -> None:
    """Costs are there all the same, and the tables go by them."""
    path, frame = swept
    assert frame["saving_percent"].null_count() == frame.height
    tables = best_rules_tables(StudyRun(path).study, frame)
    assert len(tables) == 4  # slots × load costs
    table, note = tables[0]
    assert [row[0] for row in table.rows] == ["metric", "never"]
    assert "host time" in note
    assert "2 seeds" in note


def test_a_trace_is_loaded_once_for_all_its_cells(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one process: two seeds, so twice."""
    loaded = []

    def load(path: str, **given: Any) -> Any:
        loaded.append(given["seed"])
        return load_trace(path, **given)

    monkeypatch.setattr(sweep_cell, "load_trace", load)
    sweep_cell._LOADED.clear()
    sweep(written(), workers=0)
    assert loaded == [0, 1]


def test_what_cannot_be_had_does_not_keep_the_rest(written: Callable[..., Path]) -> None:
    """The lab has no card that leaves its latency to chance; all else is in the results."""
    card = 'load_latency_distribution = ["fixed", "exponential"]'
    path = written(STUDY.replace("load_host_ns = [5_000, 50_000]", card))
    with pytest.raises(RunError, match=r"12 pieces .* metric threshold=1 .* load_latency_distrib"):
        sweep(path, workers=0)
    frame = pl.read_parquet(path.with_suffix(".sweep") / "results.parquet")
    assert frame.height == CELLS // 2
    assert frame["load_latency_distribution"].unique().to_list() == ["fixed"]


def test_less_than_no_workers_are_refused(written: Callable[..., Path]) -> None:
    """0 are this process."""
    with pytest.raises(ParameterError, match="workers"):
        sweep(written(), workers=-1)


def test_a_folder_that_cannot_be_written_to_is_named(written: Callable[..., Path]) -> None:
    """Before anything runs."""
    path = written()
    path.with_suffix(".sweep").write_text("a file")
    with pytest.raises(OutputError, match="cannot be created"):
        sweep(path, workers=0)


def test_a_scheduler_that_is_not_there_is_named(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what was expected."""
    monkeypatch.setattr("saactors.lab.sweep_workers._CONNECT_S", "500ms")
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(RunError, match=r"dask: found none at .*, expected the address"):
            sweep(written(), dask=address)


QUESTIONS = f"""{STUDY}
[[questions]]
title = "Which threshold?"
x = "threshold"
y = "rule_ns"
facet = "load_host_ns"
where = {{ slots_wanted = "4" }}
[[questions]]
title = "And slots?"
x = "slots"
y = "loads"
colour = "trace"
where = {{ rule = ["metric"], threshold = [1, 10] }}
[[questions]]
title = "Of nothing?"
x = "slots"
y = "loads"
where = {{ rule = "none" }}
[[questions]]
title = "Which rule?"
x = "rule"
y = "rule_ns"
facet = "seed"
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyRun, pl.DataFrame]:
    """A study with questions, and its results."""
    path: Path = tmp_path_factory.mktemp("asked") / "study.toml"
    path.write_text(QUESTIONS, encoding="utf-8")
    frame = sweep(path, workers=0)
    return StudyRun(path), frame


def test_every_question_has_its_figure(asked: tuple[StudyRun, pl.DataFrame]) -> None:
    """Save one that no cell answers, which the page says."""
    run, frame = asked
    page = page_of(run.study, frame)
    assert [chart.title for chart in page.charts] == [
        "Which threshold?",
        "And slots?",
        "Which rule?",
    ]
    assert "Of nothing?" in page.setting
    assert "Which threshold?" in html_of(page)


def test_a_point_is_the_mean_of_its_cells(asked: tuple[StudyRun, pl.DataFrame]) -> None:
    """Here over seeds, so with an interval; a rule without threshold is a dotted line."""
    run, frame = asked
    chart = page_of(run.study, frame).charts[0]
    assert "mean over 2 seeds" in chart.caption
    metric, never, *_ = chart.traces
    cells = frame.filter(
        pl.col("slots_wanted") == "4", pl.col("rule") == "metric", pl.col("load_host_ns") == 5000
    )
    for x, y in zip(metric["x"], metric["y"], strict=True):
        expected = cells.filter(pl.col("threshold") == x)["rule_ns"].mean()
        assert y == pytest.approx(expected, rel=1e-5)
    assert metric["error_y"]["visible"] is True
    assert never["line"]["dash"] == "dot"
    assert never["x"] == [1.0, 10.0]
    assert [trace["xaxis"] for trace in chart.traces] == ["x", "x", "x2", "x2"]


def test_a_caption_says_over_what_a_mean_goes(asked: tuple[StudyRun, pl.DataFrame]) -> None:
    """And an interval is left out where it would not be one of independent runs."""
    run, frame = asked
    chart = page_of(run.study, frame).charts[1]
    assert "where rule = metric, threshold = 1 or 10" in chart.caption
    assert "mean over 2 seeds, 2 values of load_host_ns, 2 values of threshold" in chart.caption
    assert not any(trace["error_y"]["visible"] for trace in chart.traces)


def test_only_what_a_study_varies_tells_its_cells_apart(
    asked: tuple[StudyRun, pl.DataFrame],
) -> None:
    """The bonus follows the load cost by analysis: nobody asked for several."""
    run, frame = asked
    assert frame["bonus"].n_unique() > 1
    assert varied_parameters(run.study) == ["threshold"]


# From here on, with processes of other programs.


def workers_of(parent: int) -> list[int]:
    """The processes that Dask has made of ``parent`` to do work, by /proc (proc(5))."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            status = (path / "stat").read_text().rpartition(")")[2].split()
            command = (path / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if int(status[1]) == parent and b"spawn_main" in command:
            found.append(int(path.name))
    return found


def is_running(process: int) -> bool:
    """Whether it is there and more than a zombie that nobody has asked for yet."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@contextmanager
def sweeping(path: Path, *options: object) -> Iterator[subprocess.Popen[str]]:
    """``saactors sweep`` in a process of its own; ended at the end of the block."""
    command = ["env", "--default-signal=INT", sys.executable, "-m", "saactors", "sweep"]
    with subprocess.Popen(
        [*command, str(path), *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def wait_for_cells(path: Path, running: subprocess.Popen[str], least: int = 3) -> None:
    """Until some cells are kept."""
    for _ in range(1200):
        if len(cell_files(path)) >= least:
            return
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    pytest.fail("no cell was finished within a minute")


@pytest.mark.slow
def test_processes_give_the_same_as_one(
    swept: tuple[Path, pl.DataFrame], written: Callable[..., Path]
) -> None:
    """Whoever does a cell, and in whatever order they come back."""
    _, expected = swept
    found = sweep(written(), workers=2)
    assert without_wall_time(found).equals(without_wall_time(expected))


@pytest.mark.slow
def test_a_killed_worker_costs_no_finished_cell(written: Callable[..., Path]) -> None:
    """Killed by its id in the middle; another one does what it was at."""
    path = written(LONG)
    run = StudyRun(path)
    killed: list[int] = []
    kept: dict[str, tuple[int, int]] = {}

    def kill(_what: str) -> None:
        if run.finished == 4 and not killed:
            kept.update(cell_files(path))
            killed.append(workers_of(os.getpid())[0])
            os.kill(killed[0], signal.SIGKILL)

    run.complete(workers=2, advance=kill)
    assert killed
    assert len(kept) == 4
    assert run.failures == []
    assert run.finished == LONG_CELLS
    assert cell_files(path).items() >= kept.items()


@pytest.mark.slow
def test_a_killed_sweep_goes_on_where_it_was(written: Callable[..., Path]) -> None:
    """SIGKILL leaves no time for anything, and its workers do not outlive it."""
    path = written(LONG)
    with sweeping(path, "--workers", 2) as running:
        wait_for_cells(path, running)
        workers = workers_of(running.pid)
        running.kill()
        running.wait(20)
    assert len(workers) >= 2
    kept = cell_files(path)
    assert 3 <= len(kept) < LONG_CELLS
    run = StudyRun(path)
    assert run.finished == len(kept)
    run.complete(workers=0)
    assert run.finished == LONG_CELLS
    assert cell_files(path).items() >= kept.items()
    assert not any(is_running(worker) for worker in workers)


@contextmanager
def cluster() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Dask scheduler with one worker, each a process of its own: its address and itself."""
    begin = [sys.executable, "-m", "distributed.cli"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    port = 18_700 + os.getpid() % 1000
    address = f"tcp://127.0.0.1:{port}"
    schedule = [*begin[:2], f"{begin[2]}.dask_scheduler", *local, "--port", str(port)]
    work = [*begin[:2], f"{begin[2]}.dask_worker", address, *local, "--nthreads", "1", "--no-nanny"]
    with (
        subprocess.Popen(schedule, **quiet) as scheduler,  # type: ignore[call-overload]  # constants of the module
        subprocess.Popen([*work, "--death-timeout", "20"], **quiet) as worker,  # type: ignore[call-overload]  # ditto
    ):
        try:
            yield address, scheduler
        finally:
            worker.kill()
            scheduler.kill()


@pytest.mark.slow
def test_a_cluster_gives_the_same(
    swept: tuple[Path, pl.DataFrame], written: Callable[..., Path]
) -> None:
    """Through the address of a scheduler that runs already."""
    _, expected = swept
    with cluster() as (address, _):
        found = sweep(written(), dask=address)
    assert without_wall_time(found).equals(without_wall_time(expected))


@pytest.mark.slow
def test_a_killed_scheduler_costs_no_finished_cell(written: Callable[..., Path]) -> None:
    """The command ends with a line that says so, and the next one goes on."""
    path = written(LONG)
    with cluster() as (address, scheduler), sweeping(path, "--dask", address) as running:
        wait_for_cells(path, running)
        scheduler.kill()
        _, told = running.communicate(timeout=120)
    assert running.returncode == 1
    assert told.strip().splitlines() == [
        "saactors: dask: the scheduler has gone away; what is finished is kept, so run it again"
    ]
    kept = cell_files(path)
    assert 3 <= len(kept) < LONG_CELLS
    run = StudyRun(path)
    run.complete(workers=0)
    assert run.finished == LONG_CELLS
    assert cell_files(path).items() >= kept.items()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "send"),
    [(signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill)],
    ids=["Ctrl-C, which all processes of a terminal get", "kill"],
)
def test_an_interrupted_sweep_says_what_it_keeps(
    written: Callable[..., Path], number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    """Status 130 and one line."""
    path = written(LONG)
    with sweeping(path, "--workers", 2) as running:
        wait_for_cells(path, running)
        send(running.pid, number)
        out, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert out == ""
    kept = len(cell_files(path))
    folder = path.with_suffix(".sweep")
    expected = f"{kept} of {LONG_CELLS} cells are kept in {folder}; run it again to go on"
    assert told.strip().splitlines() == [f"saactors: interrupted; {expected}"]
