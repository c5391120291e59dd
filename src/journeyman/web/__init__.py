"""The web face: pages a person can look at in the morning.

Always holds: a page is one self-contained file. It loads nothing, runs no script, and every string that
came from a user or a model is escaped by construction (see `markup`).

Does not know: how a night is run, or where its result is kept; it is handed plain mappings.
"""
