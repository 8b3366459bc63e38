"""A user who may write nowhere is told what to do, and not shown a traceback."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

# As for a user to whom neither the package's folder nor a home folder is open.
CODE: Final = """
import sys
from numba.core.caching import CacheImpl
CacheImpl._locator_classes = []
from saactors.cli.main import main
sys.argv = ["saactors", "run", "--check", "nothing.toml"]
main()
"""


def test_no_folder_for_compiled_code_is_said_in_a_sentence() -> None:
    """Numba keeps machine code on disk, and a service may have no home."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("saactors: found no folder for compiled code")
    assert done.stderr.endswith("set NUMBA_CACHE_DIR\n")
    assert done.stderr.count("\n") == 1
