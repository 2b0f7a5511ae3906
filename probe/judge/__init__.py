"""From evidence to verdict: pure functions over an ordered table of rules."""
