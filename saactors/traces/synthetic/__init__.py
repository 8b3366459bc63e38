"""Seeded traffic by models: ``table`` lists them, the other files have one kind each."""

from saactors.traces.synthetic.table import MODELS, synthesise

__all__ = ["MODELS", "synthesise"]
