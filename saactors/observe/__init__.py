"""A closed vocabulary of typed events; the event log and its readable views."""
