"""Where a gateway's packets come in and go out: devices, sockets, captures."""
