"""Thin shells: receive, ask the core, send."""
