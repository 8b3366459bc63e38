"""Fixtures for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of real captures beside the checkout; a test that needs it skips without it."""
    folder = CHECKOUT.parent / "shared"
    if not (folder / "captures").is_dir():
        pytest.skip(f"SHARED FOLDER MISSING: expected real captures in {folder}/captures")
    return folder
