"""``saactors synth``: from a model's name to a file, in words on the screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from saactors.lab.load import load_trace
from saactors.traces.synthetic.table import MODELS, synthesise

Run = Callable[..., Any]


@pytest.mark.parametrize("ending", ["npz", "parquet", "pcap"])
def test_traffic_is_written_and_told_of(run: Run, tmp_path: Path, ending: str) -> None:
    """How much, by how many, for how long, and how uneven."""
    path = tmp_path / f"scan.{ending}"
    given = ("--set", "packets=1e4", "--set", "sas=100", "--set", "sizes=fixed:1000")
    ran = run("synth", "scan", *given, "--seed", 3, "--output", path)
    assert (ran.status, ran.err) == (0, "")
    assert str(path) in ran.out
    assert "10.0 k packets of 100 SAs in" in ran.out
    assert "10.0 MB" in ran.out
    assert "1 % of the SAs carry 1.0 % of the packets, 10 % carry 10.0 %" in ran.out
    made = synthesise("scan", {"packets": 10_000, "sas": 100, "sizes": "fixed:1000"}, seed=3)
    assert load_trace(path).time_ns.tolist() == made.time_ns.tolist()


def test_the_same_command_writes_the_same_file(run: Run, tmp_path: Path) -> None:
    """Byte for byte; another seed does not."""
    paths = [tmp_path / f"{name}.parquet" for name in ("one", "two", "other")]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        assert run("synth", "branch", "--set", "packets=5000", "--seed", seed, "--output", path)
    one, two, other = (path.read_bytes() for path in paths)
    assert one == two != other


def test_heirs_are_counted(run: Run, tmp_path: Path) -> None:
    """So that one sees at once whether a lifetime is short enough to matter."""
    given = ("--set", "packets=20000", "--set", "lifetime_ns=50ms", "--output", tmp_path / "r.npz")
    assert "of them after rekeying" in run("synth", "rekeying", *given).out


def test_the_list_names_every_model_with_its_parameters(run: Run) -> None:
    """Units, defaults and reasons, as ``saactors rules`` has them."""
    ran = run("synth", "--list")
    assert ran.status == 0
    for name, entry in MODELS.items():
        assert f"\n{name}\n" in f"\n{ran.out}"
        for parameter in entry.parameters:
            assert f"  {parameter.name} = {parameter.default}" in ran.out
    assert "Assumption:" in ran.out
    assert "Source: " in ran.out


def test_the_list_of_one_model_is_about_it_alone(run: Run) -> None:
    """For a screen that is not a metre high."""
    out = run("synth", "scan", "--list").out
    assert out.startswith("scan\n")
    assert "zipf\n" not in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "saactors synth: found no MODEL"),
        (["zopf", "--output", "x.npz"], "model: found 'zopf', expected one of zipf, .*zipf?"),
        (["zopf", "--list"], "model: found 'zopf'"),
        (["zipf"], "saactors synth: found no --output FILE"),
        (["zipf", "--output", "x.csv"], "output: found 'x.csv', expected a name that ends in"),
        (["zipf", "--output", "x.npz", "--set", "sas"], "expected name=value"),
        (["zipf", "--output", "x.npz", "--set", "sas=0"], "sas: found 0, expected 1 to"),
        (["zipf", "--output", "x.npz", "--set", "sass=1"], "did you mean sas?"),
        (["zipf", "--output", "x.npz", "--seed", "-1"], "saactors synth: "),
        (["zipf", "--output", "x.pcap", "--set", "sizes=fixed:27"], "sizes: found 'fixed:27'"),
    ],
)
def test_mistakes_are_told_in_one_line(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    told: str,
) -> None:
    """With status 2, nothing on standard output and no file."""
    monkeypatch.chdir(tmp_path)
    ran = run("synth", *arguments)
    first, _, rest = ran.err.partition("\n")
    assert (ran.status, ran.out) == (2, "")
    for part in told.split(".*"):
        assert part in first
    assert rest in ("", "Try 'saactors synth --help'.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_full_or_missing_folder_is_an_error_of_the_run(run: Run, tmp_path: Path) -> None:
    """Status 1: there was nothing wrong with what was asked for."""
    path = tmp_path / "nowhere" / "x.npz"
    ran = run("synth", "scan", "--set", "packets=10", "--output", path)
    assert (ran.status, ran.out) == (1, "")
    assert f"{path}: cannot be written: No such file or directory" in ran.err
