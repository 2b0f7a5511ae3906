"""InfluxDB, for Grafana: a projection. Points are absolute and their times follow from what they say, so that
writing them again changes nothing.
"""
