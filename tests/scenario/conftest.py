"""Scenario files that are right but for what a test puts wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from saactors.errors import ScenarioError
from saactors.scenario import Scenario, load_scenario


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Scenario]:
    """Loads a scenario from the text of its file."""

    def load_text(text: str) -> Scenario:
        path = tmp_path / "scenario.toml"
        path.write_text(text)
        return load_scenario(path)

    return load_text


@pytest.fixture
def refusal(load: Callable[[str], Scenario]) -> Callable[[str], tuple[str, str]]:
    """Where a wrong scenario is wrong, and what the error says of it."""

    def refused_text(text: str) -> tuple[str, str]:
        with pytest.raises(ScenarioError) as caught:
            load(text)
        return caught.value.where, caught.value.problem

    return refused_text
