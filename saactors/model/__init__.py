"""The nouns: packets, bursts, security associations, and why a packet was dropped."""
