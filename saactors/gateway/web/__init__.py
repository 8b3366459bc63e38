"""The gateway over HTTP: a page to watch, read-only answers as JSON, metrics for Prometheus."""
