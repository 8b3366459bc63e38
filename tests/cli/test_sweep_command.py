"""``saactors sweep`` as its users meet it; who may die meanwhile is in tests/lab/test_sweep.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]

STUDY = """
title = "Does patience pay?"
traces = ["synth:zipf,sas=60,packets=2000"]
profiles = ["netdevsim"]
slots = [6]
optimum = "none"
[[rules]]
name = "metric"
threshold = [1, 10]
[[questions]]
title = "Which threshold costs least?"
x = "threshold"
y = "rule_ns"
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A small study, in a file."""
    path = tmp_path / "study.toml"
    path.write_text(STUDY, encoding="utf-8")
    return path


def test_it_prints_a_table_and_where_the_results_are(run: Run, study: Path) -> None:
    """Beside the study, if nothing else was asked for; questions make a page."""
    ran = run("sweep", study, "--workers", 0)
    assert ran.status == 0, ran.err
    assert "synth:zipf,sas=60,packets=2000 on netdevsim with 6 slots" in ran.out
    assert "2 of 2 cells finished, 0 of them before." in ran.out
    folder = study.with_suffix(".sweep")
    assert f"written: {folder}/results.parquet, {folder}/questions.html" in ran.out
    assert pl.read_parquet(folder / "results.parquet")["threshold"].to_list() == [1.0, 10.0]
    assert "Which threshold costs least?" in (folder / "questions.html").read_text()


def test_the_second_time_everything_is_there(run: Run, study: Path) -> None:
    """And nobody starts a worker for it."""
    run("sweep", study, "--workers", 0)
    ran = run("sweep", study)
    assert "2 of 2 cells finished, 2 of them before." in ran.out


def test_results_go_where_they_are_wanted(run: Run, study: Path, tmp_path: Path) -> None:
    """A folder, and a page of one's own name."""
    output, page = tmp_path / "out" / "put", tmp_path / "page.html"
    ran = run("sweep", study, "--workers", 0, "--output", output, "--page", page)
    assert ran.status == 0, ran.err
    assert (output / "results.parquet").exists()
    assert page.exists()
    assert not study.with_suffix(".sweep").exists()


def test_a_wrong_key_gets_a_suggestion(run: Run, study: Path) -> None:
    """File, key, and what was meant perhaps, in one line; status 2."""
    study.write_text(STUDY.replace("slots", "slot"), encoding="utf-8")
    ran = run("sweep", study)
    assert ran.status == 2
    assert ran.err == f"saactors: {study}: slot: unknown key; did you mean 'slots'?\n"


def test_workers_and_a_cluster_exclude_each_other(run: Run, study: Path) -> None:
    """A cluster has its own."""
    ran = run("sweep", study, "--workers", 2, "--dask", "tcp://127.0.0.1:9")
    assert ran.status == 2
    assert "exclude each other" in ran.err


def test_no_scheduler_at_an_address_is_one_line(
    run: Run, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 1: the command line was right."""
    monkeypatch.setattr("saactors.lab.sweep_workers._CONNECT_S", "500ms")
    ran = run("sweep", study, "--dask", "tcp://127.0.0.1:9")
    assert ran.status == 1
    assert ran.err.startswith("saactors: dask: found none at tcp://127.0.0.1:9, expected")
    assert ran.err.count("\n") == 1


def test_what_failed_is_told_after_what_did_not(run: Run, study: Path) -> None:
    """The results of the rest are printed and written; status 1."""
    card = '[card]\nload_latency_distribution = ["fixed", "exponential"]\n[[rules]]'
    study.write_text(STUDY.replace("[[rules]]", card), encoding="utf-8")
    ran = run("sweep", study, "--workers", 0)
    assert ran.status == 1
    assert "2 of 4 cells finished" in ran.out
    assert "2 pieces of the study failed, first metric threshold=1" in ran.err


def test_what_is_wrong_with_a_capture_is_told(
    run: Run, study: Path, tmp_path: Path, office_capture: Path
) -> None:
    """It is used as far as it goes, as everywhere."""
    (tmp_path / "cut.pcap").write_bytes(office_capture.read_bytes()[:-10])
    study.write_text(STUDY.replace("synth:zipf,sas=60,packets=2000", "cut.pcap"), encoding="utf-8")
    ran = run("sweep", study, "--workers", 0)
    assert ran.status == 0
    assert ran.err.count("saactors: warning: ") == 1


def test_a_folder_that_cannot_be_made_is_named(run: Run, study: Path) -> None:
    """Before any cell is run."""
    ran = run("sweep", study, "--output", study / "in-a-file")
    assert ran.status == 1
    assert "cannot be created" in ran.err
