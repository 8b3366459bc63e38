"""The live proof against strongswan, for a few seconds: TCP through the gateway is intact."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LIVE = Path(__file__).with_name("live.py")
SKIPPED = 77
SECONDS = 8


@pytest.mark.slow
@pytest.mark.parametrize("outside", ["udp", "packet"])
def test_streams_through_strongswan(outside: str) -> None:
    """Both ways, whole, while SAs move between software and card."""
    words = [sys.executable, str(LIVE), "--peer", "strongswan", "--outside", outside, "--json"]
    done = subprocess.run(
        [*words, "--seconds", str(SECONDS)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if done.returncode == SKIPPED:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    (proof,) = json.loads(done.stdout)
    assert proof["streams"]["intact"]
    assert proof["loads"] > 0
