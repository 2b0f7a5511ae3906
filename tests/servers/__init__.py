"""Real servers for the tests: each runs in the foreground from a temporary directory, counts as up when its protocol
answers, and is ended by its own process id. One file per server; `fixtures.py` has those of loopback, and
tests/country.py starts the same servers in network namespaces.
"""
