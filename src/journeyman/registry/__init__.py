"""Adapters: where they lie, what they are called, and where they come from.

Always holds: an adapter's directory is named by the hash of its content and appears whole or not at all; its lineage
file says what it was made of.

Knows nothing of how an adapter is trained or judged.
"""
