"""Updates: from situations and a veteran to an adapter.

Always holds: the veteran is the round's start, frozen; what is learnt lies in one adapter state; the same seed on the
same machine gives the same state, bit for bit.

Knows nothing of stores, sessions or verdicts.
"""
