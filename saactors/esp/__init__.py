"""ESP (RFC 4303) as a pure protocol: wire format, suites, replay window; no I/O and no clock."""
