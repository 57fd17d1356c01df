"""Distances, overlaps and registrations, in NumPy; ``evaluation.batched`` has them for torch."""
