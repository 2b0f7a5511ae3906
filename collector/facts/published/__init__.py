"""Tables of networks that others publish: fetched, read, and made into one of ours."""
