"""Bytes to objects and back: no socket, no clock, no asyncio, no randomness."""
