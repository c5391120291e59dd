"""Evidence: what was learned, what was harmed, and whether that is enough to ship.

Always holds: everything here runs without torch; the model is reached through the `Engine` protocol only; the
same model, items and seed give the same evidence.

Knows nothing of how an adapter was trained.
"""
