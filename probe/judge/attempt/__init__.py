"""Verdicts about attempts: one handshake with one address, and what bears on it."""
