"""How environments of other libraries become targets: one file a library, each with `target(name, rest)`.

Always holds: a bridge adds nothing to an environment and hides nothing of it; what the library publishes (an answer, a
threshold, a schema) is used, and what it does not is left out.

They run within the environment's own interpreter, and need nothing but Python (3.10 or newer) and that library.
"""
