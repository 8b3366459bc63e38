"""The process of one target, which libFuzzer takes over: ``worker PROGRAM TARGET FLAG…``.

PROGRAM is what libFuzzer takes for its own file, which it starts again to merge.

The package's code is instrumented while it is imported; the compiled functions are run as the
Python that they are written in (NUMBA_DISABLE_JIT=1, set by ``session``), or else the fuzzer could
not see into them.
"""

from __future__ import annotations

import sys
import warnings

import atheris

from fuzzing.table import load_target


def main() -> None:
    """Fuzz until one of libFuzzer's limits is reached, or the target fails."""
    program, name, *flags = sys.argv[1:]
    with atheris.instrument_imports(include=["saactors", "tomllib"]):
        target = load_target(name)
    # As in the tests; what NumPy's integers warn of would be silent in compiled code.
    warnings.simplefilter("error")
    atheris.Setup([program, *flags], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
