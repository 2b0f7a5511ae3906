"""The warehouse: verdicts and cells in columns, a projection that may be thrown away."""
