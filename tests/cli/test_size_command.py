"""``saactors size``: how many slots are worth it, on screen, as JSON and as a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Run: TypeAlias = Callable[..., Any]
ZIPF = "synth:zipf,sas=120,packets=20000"


def test_the_table_has_a_row_per_size_and_marks_knee_and_profiles(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one slot to one per SA."""
    monkeypatch.setenv("COLUMNS", "80")
    ran = run("size", ZIPF, "--rules", "metric,first-come")
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert all(line == line.rstrip() and len(line) <= 80 for line in lines)
    assert next(line for line in lines if "netdevsim" in line).split()[0] == "33"
    assert sum(line.endswith("%  knee") for line in lines) == 1
    heads = next(line.split() for line in lines if "of SAs" in line)
    assert heads == ["slots", "of", "SAs", "optimum", "metric", "first-come", "mark"]


def test_json_is_one_object(run: Run, office_capture: Path) -> None:
    """Of a capture, too."""
    found = run("size", office_capture, "--json").result
    assert found["trace"] == "office"
    assert [size["slots"] for size in found["sizes"]] == [1, 2, 3, 5]
    assert found["sizes"][0]["rules"].keys() >= {"metric", "first-come"}
    assert found["sizes"][0]["optimum"].keys() >= {"lower_ns", "upper_ns", "gap"}
    assert found["knee"].keys() == {"optimum", *found["sizes"][0]["rules"]}


def test_seed_slots_and_parameters_are_taken(run: Run) -> None:
    """What compare takes, for one trace and one seed."""
    given = ("--rules", "metric", "--set", "metric.threshold=5", "--slots", "4,50%", "--json")
    first, other = (run("size", ZIPF, *given, "--seed", seed).result for seed in (0, 1))
    assert next(size["slots"] for size in first["sizes"]) == 4
    assert (first["seed"], other["seed"]) == (0, 1)
    assert first["cost_ns"] != other["cost_ns"]


def test_the_page_is_complete_in_itself(run: Run, tmp_path: Path) -> None:
    """And is not written over the trace."""
    page = tmp_path / "x.html"
    assert run("size", ZIPF, "--rules", "never", "--page", page).status == 0
    assert "default-src 'none'" in page.read_text()
    ran = run("size", page, "--page", page)
    assert ran.status == 2
    assert "--page: found" in ran.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nowhere.pcap",), "nowhere.pcap"),
        ((ZIPF, "--rules", "metrics"), "rule: found 'metrics'"),
        ((ZIPF, "--slots", "none"), "slots: found 'none'"),
        ((ZIPF, ZIPF), "unexpected extra argument"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(
    run: Run, arguments: tuple[str, ...], expected: str
) -> None:
    """With what was found."""
    ran = run("size", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert expected in ran.err
    assert "Traceback" not in ran.err
