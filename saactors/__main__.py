"""``python -m saactors`` is the ``saactors`` command."""

from saactors.cli.main import main

main()
