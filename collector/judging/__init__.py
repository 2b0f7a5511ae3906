"""From the log to verdicts and cells."""
