"""The notebook of the lab: what its source says, and true when it is run."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
NOTEBOOK = CHECKOUT / "docs" / "lab.ipynb"
SIZE_BYTES_MAX = 100_000
CELL_SECONDS_MAX = 300  # a cell that hangs; the first run compiles the rules

# Where Jupyter keeps what it knows; the user's own would let a test depend on it, and change it.
FOLDERS = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")

# What the words say, by the names that the cells have bound; run in the same kernel after them.
CLAIMS = {
    "a load costs as much as 45 packets save": """
        import math
        threshold = json.loads(metric["parameters"][0])["threshold"]
        assert math.isclose(threshold, PROFILES["nfp"].load_host_ns / 1200)
        assert math.floor(threshold) == 45
    """,
    "lru is worse than no card": """
        assert (frame.filter(rule="lru")["saving_percent"] < 0).all()
    """,
    "adaptive saves on each": """
        assert (frame.filter(rule="adaptive")["saving_percent"] > 0).all()
    """,
    "lru has the card do most packets": """
        shares = frame.filter(trace="bursts").sort("offload_packets")
        assert shares["rule"][-1] == "lru"
        assert shares["loads_ns"][-1] > shares["never_ns"][-1]
    """,
    "nobody passes the optimum": """
        assert (frame["saving_percent"] <= 100).all()
    """,
    "a slot earns the optimum at most what the one before did": """
        best = curve.filter(rule="optimum").sort("slots")
        steps = best.select(pl.col("saving_ns").diff() / pl.col("slots").diff()).to_series()
        assert (steps.diff().drop_nulls() <= 1e-3 * steps.max()).all()
    """,
    "first come, first served saves less with more slots": """
        saved = dict(curve.filter(rule="first-come").select("slots", "saving_ns").iter_rows())
        assert saved[1024] < max(saving for slots, saving in saved.items() if slots <= 600)
    """,
    "the best thresholds lie below the cost analysis": """
        assert trials.top_k(5, by="saved")["threshold"].max() < 1
    """,
    "a threshold far above saves hardly anything": """
        far = trials.filter(pl.col("threshold") > 30)["saved"]
        assert len(far) and far.max() < trials["saved"].max() / 10
    """,
    "tuning finds what beats the defaults": """
        assert tuning.best.saved > tuning.defaults.saved
    """,
    "the log is the run that the frame tells of": """
        assert len(loads) == metric["loads"][0]
        assert account(run).totals["wasted_loads"] == metric["wasted_loads"][0]
    """,
    "later loads are of newcomers": """
        assert loads.select(pl.corr("time_s", "sa")).item() > 0.5
        assert loads.filter(pl.col("time_s") < 0.5)["sa"].median() < churn.sa_count / 10
    """,
    "to wait for a packet costs hardly anything": """
        prefetch, demand = kinds["upper_ns"]
        assert prefetch <= demand <= 1.01 * prefetch
    """,
}


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tool that makes the notebook."""
    monkeypatch.syspath_prepend(str(CHECKOUT / "tools"))
    return importlib.import_module("make_notebook")


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Folders of Jupyter for this test alone, with this Python as the kernel ``python3``."""
    home = tmp_path_factory.mktemp("jupyter")
    kernel = home / FOLDERS[0] / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    # Whatever Python itself keeps quiet about counts as well.
    spec = {"argv": command, "display_name": "Python 3", "env": {"PYTHONWARNINGS": "default"}}
    (kernel / "kernel.json").write_text(json.dumps({**spec, "language": "python"}))
    with pytest.MonkeyPatch.context() as patch:
        for folder in FOLDERS:
            patch.setenv(folder, str(home / folder))
        patch.delenv("JUPYTER_PATH", raising=False)
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        yield


@pytest.fixture(scope="module")
def executed(jupyter: None) -> Any:  # noqa: ARG001 - its folders are all that is needed
    """The notebook after a run from its first cell to its last, the claims behind them."""
    nbformat, nbclient = importlib.import_module("nbformat"), importlib.import_module("nbclient")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for claim, code in CLAIMS.items():
        source = "\n".join(line.removeprefix(" " * 8) for line in code.strip("\n").splitlines())
        notebook.cells.append(nbformat.v4.new_code_cell(source, metadata={"claim": claim}))
    client = nbclient.NotebookClient(
        notebook,
        timeout=CELL_SECONDS_MAX,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
    )
    return asyncio.run(client.async_execute())


def code_cells(notebook: Any) -> Iterator[tuple[str, Any]]:
    """Each code cell of the notebook itself, by name."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and "claim" not in cell.metadata:
            yield cell.id, cell


def test_the_notebook_is_what_its_source_makes(maker: Any) -> None:
    """``python tools/make_notebook.py`` makes it; nobody edits it by hand or commits outputs."""
    made = maker.notebook_text(maker.SOURCE.read_text(encoding="utf-8"))
    assert NOTEBOOK.read_text(encoding="utf-8") == made
    assert len(made.encode()) < SIZE_BYTES_MAX


def test_a_name_of_a_cell_stays_when_another_comes(maker: Any) -> None:
    """So that a change of the notebook shows where something has changed, and nowhere else."""
    one = "Words.\n\n```python first\nx = 1\n```\n\nMore.\n"
    cells = {cell["id"]: cell for cell in maker.cells(one)}
    more = {cell["id"]: cell for cell in maker.cells("```python zero\ny = 0\n```\n" + one)}
    assert list(cells) == ["before-first", "first", "end"]
    assert cells["first"]["source"] == ["x = 1"]
    assert list(more) == ["zero", *cells]
    assert {name: more[name] for name in cells} == cells


def test_every_fence_of_the_source_becomes_a_cell(maker: Any) -> None:
    """A fence without a name would stand among the words and never run."""
    source = maker.SOURCE.read_text(encoding="utf-8")
    cells = list(maker.cells(source))
    assert source.count("```python") == sum(cell["cell_type"] == "code" for cell in cells)
    assert len({cell["id"] for cell in cells}) == len(cells)


@pytest.mark.usefixtures("jupyter")
def test_the_notebook_is_valid() -> None:
    """By the format's own schema."""
    nbformat = importlib.import_module("nbformat")
    nbformat.validate(json.loads(NOTEBOOK.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_every_cell_runs_without_error_or_warning(executed: Any) -> None:
    """From top to bottom in a fresh kernel; a warning would be on standard error."""
    told = {
        name: output.get("text", output.get("evalue"))
        for name, cell in code_cells(executed)
        for output in cell.outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    }
    assert told == {}
    assert all(cell.execution_count for _, cell in code_cells(executed))


@pytest.mark.slow
def test_every_cell_but_the_imports_shows_something(executed: Any) -> None:
    """A table, figures or a plot: that is what a notebook is for."""
    silent = [name for name, cell in code_cells(executed) if not cell.outputs]
    plots = [
        name
        for name, cell in code_cells(executed)
        for output in cell.outputs
        if "application/vnd.plotly.v1+json" in output.get("data", {})
    ]
    assert silent == ["imports"]
    assert plots == ["host-time", "slots", "trials", "loads", "distance"]


@pytest.mark.slow
@pytest.mark.parametrize("claim", CLAIMS)
def test_what_the_words_say_is_so(executed: Any, claim: str) -> None:
    """Checked in the notebook's own kernel, on what its cells have computed."""
    (cell,) = (cell for cell in executed.cells if cell.metadata.get("claim") == claim)
    assert cell.execution_count
    assert [output.get("evalue", output) for output in cell.outputs] == []
