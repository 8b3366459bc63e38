"""Importing it lets scripts of this folder use the modules of ``tests/interop``."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "interop"))
