"""The soak itself, for some seconds: two real gateways under change, and every check passes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

CHECKOUT = Path(__file__).parents[2]
sys.path.append(str(CHECKOUT / "tools"))

from soaking.wire import RECORD_BYTES, repeated  # noqa: E402 - tools are no package


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="NAMESPACES NEED ROOT: run as root")
def test_gateways_bear_change_under_traffic() -> None:
    """Packets are conserved, no IV comes twice, nothing grows."""
    words = ["tools/soak.py", "--seconds", "15", "--seed", "1", "--rate", "1000", "--json"]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    # Memory and tasks are flat over minutes, not over seconds in which caches still fill.
    checks = {check["name"]: check for check in told["checks"] if "memory" not in check["name"]}
    assert [check for check in checks.values() if not check["good"]] == []
    assert told["changes"]["rekey"] > 3
    assert sum(each["received"] for each in told["received"]) > 5000


def test_an_iv_that_comes_twice_is_found(tmp_path: Path) -> None:
    """Whatever the sequence number says beside it; another SPI may have the same IV."""
    records = np.zeros((4, RECORD_BYTES), np.uint8)
    records[:, 3] = [1, 1, 2, 1]  # SPIs
    records[:, 7] = [1, 2, 3, 4]  # sequence numbers
    records[:, 15] = [5, 6, 5, 5]  # IVs
    records.tofile(tmp_path / "wire")
    assert repeated(tmp_path / "wire") == 1
