"""ESP (RFC 4303) as a pure protocol: wire format, suites, replay window, keys.

No I/O and no clock, except that ``key_table`` reads and writes Wireshark's file of keys.
"""
