"""A second opinion that nobody here wrote: every handshake, on the wire, as nDPI and Wireshark see it.

`world` is a program for a network namespace of its own: it serves the other half of every handshake at documentation
addresses, makes each handshake once, and keeps what was on the wire and what it took. `classifiers` asks the programs.
"""
