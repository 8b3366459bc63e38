"""The card: residency, loads and the crypto pipeline as physics. No keys, no packets, no trio."""
