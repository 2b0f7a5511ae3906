"""Verdicts about names: what the link's own resolvers said, beside what everybody else said."""
