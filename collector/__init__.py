"""Ringback's collector: receives sealed batches, keeps them, judges them with controls, and shows the result."""
