"""The benchmark tool: its traffic is what it says, and every section still runs.

What it measures is nobody's promise in a test; that the tool keeps up with the package is.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dpkt
import numpy as np
import pytest

TOOLS = Path(__file__).parents[2] / "tools"
# Without "gateway", which brings up eight processes in namespaces and takes as long as all others.
SECTIONS = ("capture", "pipeline", "sparse", "memory", "esp", "rule", "lab", "events", "start")


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the tool by name."""
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module


def test_generated_packets_have_the_sizes_flows_and_times_asked_for(
    tool: Any, tmp_path: Path
) -> None:
    """Read by dpkt; also across the blocks in which the file is written."""
    traffic = tool("benchmarks.traffic")
    count = traffic.BLOCK_PACKETS + 3
    sizes = 64 + np.arange(count) % 100
    flows = np.arange(count) % 7
    path = traffic.write_capture(tmp_path / "made.pcap", sizes, flows, spacing_ns=250)
    with path.open("rb") as file:
        records = list(dpkt.pcap.Reader(file))
    assert len(records) == count
    for row in (0, 1, count - 1):
        packet = dpkt.ethernet.Ethernet(records[row][1]).data
        assert packet.len == len(packet) == sizes[row]
        assert int.from_bytes(packet.src, "big") == traffic.FIRST_SOURCE + flows[row]
        assert traffic.internet_checksums(np.frombuffer(bytes(packet)[:20], np.uint8)[None]) == 0
        assert float(records[row][0]) == pytest.approx(traffic.EPOCH_S + row * 250e-9, abs=1e-6)


def test_every_flow_comes_before_any_flow_comes_again(tool: Any) -> None:
    """So that an SA's creation can be told from its use."""
    flows = tool("benchmarks.traffic").uniform_flows(1000, 100)
    assert sorted(flows[:100]) == list(range(100))
    assert set(flows[100:]) <= set(range(100))


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_measures_something(
    tool: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, section: str
) -> None:
    """With hardly any traffic: every figure is a number, every row fits the columns."""
    module = tool(f"benchmarks.{section}")
    for name, few in (("SAS", (10, 100)), ("SETTLED", 1024), ("FULL_CACHE", 1000), ("MANY", 1000)):
        if isinstance(getattr(module, name, None), type(few)):
            monkeypatch.setattr(module, name, few)
    measured = module.measure(tool("benchmarks.rounds").Effort(rounds=1, share=0.02), tmp_path)
    told = json.loads(json.dumps(measured.to_json_object(), allow_nan=False))
    assert told["rows"]
    assert all(len(row) == len(measured.columns) for row in told["rows"])


def test_the_command_writes_the_figures_that_it_prints(tmp_path: Path) -> None:
    """The cheapest section, as a user would run it."""
    path = tmp_path / "figures.json"
    command = [sys.executable, "bench.py", "start", "--quick", "--json", str(path)]
    shown = subprocess.run(command, cwd=TOOLS, capture_output=True, check=True, text=True).stdout
    figures = json.loads(path.read_text())
    assert list(figures["sections"]) == ["start"]
    for row in figures["sections"]["start"]["rows"]:
        assert f"{row['wall_s']:.3f}" in shown
    assert max(len(line) for line in shown.splitlines()) <= 100


def test_an_unknown_section_is_refused_by_name(tmp_path: Path) -> None:
    """With those that there are, and nothing measured."""
    command = [sys.executable, str(TOOLS / "bench.py"), "speed"]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, text=True)
    assert refused.returncode == 2
    assert "no section 'speed'" in refused.stderr
    assert "pipeline" in refused.stderr
