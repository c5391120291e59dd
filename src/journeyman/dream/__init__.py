"""Sessions -> lessons -> situations: what was said, and the prompts in which it will matter.

Always holds: nothing here needs a model or torch; the same sessions give the same lessons and situations in the same
order; every situation names the lesson that it came from and, where it has an answer, the words that prove it.

Knows nothing of training: whether a situation is worth it is measured elsewhere.
"""
