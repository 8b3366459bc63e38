"""From the results of a run to JSON, tables and a page."""
