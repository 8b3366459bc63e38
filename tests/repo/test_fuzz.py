"""The fuzzer: every input of its corpus still passes, and a short run finds what is broken.

The corpus goes through its targets without the fuzzer, with functions compiled as they run. The
runs need atheris, which has no wheels for some machines (pyproject.toml).
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus"
FUZZ = ROOT / "tools" / "fuzz.py"
TARGETS = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())

INPUT_BYTES_MAX = 4095
CORPUS_BYTES_MAX = 300 << 10

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="no atheris for this machine"
)

BROKEN = """
def check(data):
    if data[:1] == b"F":
        assert data[1:2] != b"U", "found it"

def seeds():
    yield b"harmless"
"""


@pytest.fixture
def fuzzing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the tool by name."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return lambda name: importlib.import_module(f"fuzzing.{name}")


def test_every_target_has_a_corpus_and_every_corpus_a_target(fuzzing: Any) -> None:
    """Else one of them would never be tried."""
    assert sorted(fuzzing("table").TARGETS) == TARGETS
    assert all(any((CORPUS / target).iterdir()) for target in TARGETS)


def test_the_corpus_is_small_and_named_by_content(fuzzing: Any) -> None:
    """It is kept with the code, so it stays small, and no input is there twice."""
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    name_of = fuzzing("target").name_of
    assert all(path.name == name_of(path.read_bytes()) for path in files)
    assert max(path.stat().st_size for path in files) <= INPUT_BYTES_MAX
    assert sum(path.stat().st_size for path in files) <= CORPUS_BYTES_MAX


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_of_the_corpus_passes(fuzzing: Any, target: str) -> None:
    """What failed once is in it; an input that fails is named."""
    check = fuzzing(target).check
    for path in sorted((CORPUS / target).iterdir()):
        try:
            check(path.read_bytes())
        except Exception as error:
            error.add_note(f"input {path.relative_to(ROOT)}")
            raise


@pytest.mark.parametrize("target", TARGETS)
def test_every_seed_passes(fuzzing: Any, target: str) -> None:
    """A fuzzer that starts from what fails ends there."""
    module = fuzzing(target)
    seeds = list(module.seeds())
    assert len(set(seeds)) > 10
    for seed in seeds:
        module.check(seed)


@needs_atheris
@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run_finds_nothing(target: str, tmp_path: Path) -> None:
    """Five seconds, whose inputs go further than the first line."""
    done = fuzz(target, "--seconds", "5", "--keep", str(tmp_path / "kept"))
    assert done.returncode == 0, done.stdout + done.stderr
    row = re.search(rf"^ ?{target} +([\d,]+) +([\d,]+) ", done.stdout, re.MULTILINE)
    assert row is not None, done.stdout
    inputs, edges = (int(number.replace(",", "")) for number in row.groups())
    assert inputs > 100
    assert edges > 50


@needs_atheris
@pytest.mark.slow
def test_a_broken_target_is_found_and_its_input_kept(tmp_path: Path) -> None:
    """Status 1, the reason, and a file with the input that does it again."""
    broken = tmp_path / "broken.py"
    broken.write_text(BROKEN)
    done = fuzz(str(broken), "--seconds", "60", "--keep", str(tmp_path / "kept"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "AssertionError: found it" in done.stdout
    (kept,) = re.findall(r"^the input is (.+)$", done.stdout, re.MULTILINE)
    assert Path(kept).read_bytes().startswith(b"FU")


def test_an_unknown_target_is_refused_by_name() -> None:
    """With those that there are, and nothing run."""
    done = fuzz("everything")
    assert done.returncode == 2
    assert "no target 'everything'" in done.stderr
    assert "esp_open" in done.stderr


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool."""
    command = [sys.executable, str(FUZZ), *arguments]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=200)
