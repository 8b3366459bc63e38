"""Writes a target's seeds and words: ``python -m fuzzing.seeds TARGET FOLDER FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

from fuzzing.table import load_target
from fuzzing.target import INPUT_BYTES_MAX, name_of


def main() -> None:
    """A file for each seed, and the words in libFuzzer's format, one a line."""
    name, folder, words = sys.argv[1:]
    target = load_target(name)
    for seed in target.seeds():
        if len(seed) > INPUT_BYTES_MAX:
            raise ValueError(f"{name}: a seed of {len(seed)} bytes, at most {INPUT_BYTES_MAX}")
        (Path(folder) / name_of(seed)).write_bytes(seed)
    tokens = getattr(target, "TOKENS", ())
    lines = ("".join(f"\\x{octet:02x}" for octet in token) for token in tokens)
    Path(words).write_text("".join(f'"{line}"\n' for line in lines))


if __name__ == "__main__":
    main()
