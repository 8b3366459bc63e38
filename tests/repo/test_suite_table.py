"""docs/suites.md is what its script makes of the table of suites."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from saactors.esp.suites import SUITES

SCRIPT = Path(__file__).parents[2] / "tools" / "suite_table.py"


def test_the_document_is_what_the_script_makes() -> None:
    """Whoever adds a suite runs the script; every suite has its row."""
    spec = importlib.util.spec_from_file_location("suite_table", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.DOCUMENT.read_text(encoding="utf-8")
    assert text == module.document()
    assert all(f"| `{suite.name}` |" in text for suite in SUITES)
