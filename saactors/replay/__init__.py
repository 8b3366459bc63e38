"""Replay a capture through the actors: from what the user wants to what came of it."""
