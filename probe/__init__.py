"""Ringback's probe: what runs on a volunteer's device, and the library that the rest stands on."""

__version__ = "0.1.0"
