"""The study: its document is made from its numbers, and a small one runs from end to end.

Whether the figures are good is for the document to say; that they are what was measured is tested.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import saactors.lab
from saactors.lab.equipment import card_of

ROOT = Path(__file__).parents[2]
PACKETS = 4000
RULES = ("adaptive", "metric", "first-come", "never", "static-top-k")
WORKLOADS = ("zipf-1.0", "uniform", "demo")


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the tool by name."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module


@pytest.fixture
def command(tool: Any) -> Any:
    """Runs a small study in this process, in a folder, with further arguments."""
    assert tool("study.plan")  # the script stands beside its package
    spec = importlib.util.spec_from_file_location("study_command", ROOT / "tools" / "study.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def run(folder: Path, *more: str) -> None:
        small = ["--workers", "0", "--packets", str(PACKETS), "--seeds", "2", "--rules", *RULES]
        places = ["--folder", str(folder / "kept"), "--docs", str(folder)]
        script.main([*WORKLOADS, *small, *places, *more])

    return run


def test_the_document_is_made_from_its_numbers(tool: Any, tmp_path: Path) -> None:
    """Byte for byte, with its figures: nobody has edited the one without the other."""
    docs = ROOT / "docs"
    results = tool("study.results").read(docs / "study.csv")
    tool("study.document").write_document(results, tmp_path)
    made = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert [path.name for path in made if path.suffix == ".md"] == ["study.md"]
    assert len(made) == 5
    for path in made:
        assert path.read_bytes() == (docs / path.relative_to(tmp_path)).read_bytes(), path.name


def test_the_numbers_are_of_the_whole_suite(tool: Any) -> None:
    """Every workload at every point with every choice, and three seeds at the base point."""
    plan = tool("study.plan")
    results = tool("study.results").read(ROOT / "docs" / "study.csv")
    labels = [choice.label for choice in plan.choices()]
    assert all(list(one.costs) == labels for one in results)
    found = [(one.workload, one.seed, one.point) for one in results]
    workloads = list(plan.WORKLOADS.values())
    present = [one for one in workloads if not one.path or (ROOT / one.path).is_file()]
    wanted = plan.groups(present, plan.cross(), plan.PACKETS, plan.BASE_SEEDS)
    assert {(one.workload.name, one.seed, one.point) for one in wanted} <= set(found)
    assert len(found) == len(set(found))


def test_a_file_of_numbers_says_all_that_was_found(tool: Any, command: Any, tmp_path: Path) -> None:
    """Written and read again: the same rows, so that the document needs nothing else."""
    command(tmp_path, "--points", "base")
    module = tool("study.results")
    rows = module.read(tmp_path / "study.csv")
    module.write(rows, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "study.csv").read_bytes()
    assert [(one.workload, one.seed) for one in rows] == [
        ("zipf-1.0", 0), ("zipf-1.0", 1), ("uniform", 0), ("uniform", 1), ("demo", None),
    ]  # fmt: skip


def test_a_study_finds_what_a_comparison_finds(tool: Any, command: Any, tmp_path: Path) -> None:
    """The study counts costs in a way of its own; the lab's account agrees, rule by rule."""
    command(tmp_path, "--points", "base")
    one = tool("study.results").read(tmp_path / "study.csv")[0]
    card = card_of("connectx6", {"load_host_ns": 50 * 1570, "load_latency_ns": 100_000})
    trace = f"synth:zipf,packets={PACKETS},sas=5000,exponent=1.0"
    frame = saactors.lab.compare(trace, rules=RULES, profile=card, slots="5%")
    for rule, cost, never, loads, saving in frame.select(
        "rule", "rule_ns", "never_ns", "loads", "saving_percent"
    ).iter_rows():
        assert one.costs[rule] == pytest.approx(100 * cost / never, abs=1e-4)
        assert one.loads[rule] == loads
        assert one.saving(rule) == pytest.approx(saving, abs=0.3)  # another gap of the optimum


def test_a_small_study_writes_a_document_with_figures(
    command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All points; run again, it has nothing left to do and writes the same; a rule may go anew."""
    command(tmp_path)
    files = [path for path in tmp_path.glob("**/*.*") if "kept" not in path.parts]
    first = {path: path.read_bytes() for path in files}
    text = (tmp_path / "study.md").read_text(encoding="utf-8")
    assert "{{" not in text
    for figure in ("base", "axes", "shortfall", "memory"):
        assert f"(figures/study-{figure}.svg)" in text
    capsys.readouterr()
    command(tmp_path)
    assert "41 groups, 41 of them finished" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in files} == first
    command(tmp_path, "--again", "metric")
    assert "41 groups, 0 of them finished" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in files} == first


def test_a_missing_capture_is_told_of_and_left_out(
    tool: Any, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """On the screen and in the document: a suite without it is another suite."""
    plan = tool("study.plan")
    gone = plan.Workload("demo", "gone", path="demo/nowhere.pcap")
    monkeypatch.setattr(plan, "WORKLOADS", {**plan.WORKLOADS, "demo": gone})
    command(tmp_path, "--points", "base")
    assert "MISSING, left out: demo" in capsys.readouterr().err
    left_out = (tmp_path / "study.md").read_text(encoding="utf-8").partition("Left out here:**")[2]
    assert "demo" in left_out.partition("\n")[0]
