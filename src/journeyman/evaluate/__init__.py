"""Evidence: what was learned, what was harmed, and whether that is enough to ship.

Always holds: but for `evidence`, which puts a night's evidence together, everything here runs without torch and
reaches the model through the `Engine` protocol only; the same model, items and seed give the same evidence.

Knows nothing of how an adapter was trained.
"""
