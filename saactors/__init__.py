"""saactors decides, from live traffic, which IPsec SAs a network card should hold."""

__version__ = "0.1.0"
