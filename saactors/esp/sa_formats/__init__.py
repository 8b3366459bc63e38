"""How other programs write SAs down: text to ``Association`` values and back, without I/O."""
