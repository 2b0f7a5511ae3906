"""What the collector holds, in the formats of the field: OONI's, Parquet, CSV and JSON Lines, as a data package.

Three data sets, and who gets them (design.md, section 5, "Who sees what"):

- `cells`, hourly, for everybody: those above the privacy floor, the count as a band. With the admin token, all of them
  and exact counts.
- `verdicts` and `measurements`, of single lines: with the admin token only. A line seen three times an hour is one
  subscriber to whoever holds the operator's own records.

What is exported is handed on, so even then nothing in it names a probe: its key becomes a pseudonym of one network and
access (collector/facts/pseudonyms.py), and a resolver's prefix becomes its network.
"""
