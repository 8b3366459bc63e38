"""A long-lived IPsec gateway: live ports, the running system, and how it is asked and steered."""
