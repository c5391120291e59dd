"""Where an answer comes from: the lessons that made it, and the night that changed it.

Always holds: nothing is kept, changed or trained; what was erased is not guessed at, but said to be erased.

Knows the registry, the phases of nights and an engine; nothing of how any of it is shown.
"""
