"""Adapters that put security on a Stream or Datagrams."""
