"""The home of trio channels, clocks, seeds and supervision; knows no SA."""
