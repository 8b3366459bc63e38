"""``docs/esp.md``: its example runs as it stands, and its table has the whole closed list."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import saactors.esp
from saactors.model.verdicts import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "esp.md"


def test_the_example_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    """Its assertions hold, and what it prints is no key."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    scope: dict[str, object] = {}
    exec(compile(example, str(PAGE), "exec"), scope)
    shown = capsys.readouterr().out
    assert "LifetimeEvent(sa=0, kind='soft', limit='packets', time_ns=0)" in shown
    assert "{'passed': 2, 'icv_failed': 1, 'replayed': 1}" in shown
    assert scope["sa"].key.hex() not in shown + repr(scope["sa"])  # type: ignore[attr-defined]  # an object of the example


def test_the_table_has_every_verdict_once() -> None:
    """A reason without a line there would be one that nobody can look up."""
    table = PAGE.read_text().partition("| verdict |")[2]
    rows = re.findall(r"^\| (`[A-Z].*?) \|", table, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)]
    assert sorted(named) == sorted(verdict.name for verdict in Verdict)


def test_everything_that_is_exported_is_there() -> None:
    """And nothing that is not is found by accident."""
    for name in saactors.esp.__all__:
        assert getattr(saactors.esp, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Sealers'"):
        _ = saactors.esp.Sealers
