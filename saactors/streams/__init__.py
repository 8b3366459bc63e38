"""What associates packets with SAs and brings each SA's packets out in order."""
