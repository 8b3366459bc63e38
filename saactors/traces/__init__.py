"""Captures as columns, and back to files."""
