"""What ``tools/bench.py`` measures, a module per section."""
