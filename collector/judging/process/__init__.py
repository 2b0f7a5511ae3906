"""Judging in a process of its own, so that it takes nothing from whoever receives and reads."""
