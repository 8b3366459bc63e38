"""What ``tools/study.py`` runs, reckons and writes, a module per step."""
