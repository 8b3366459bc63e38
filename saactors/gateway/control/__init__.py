"""The control socket of a running gateway: frames, the table of commands, server and client."""
