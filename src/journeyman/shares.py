"""What a share of n says: the one interval that every room uses.

Always holds: the interval holds the share, lies within [0, 1], and is never of zero width.

Knows nothing of what was counted.
"""

from __future__ import annotations

import math

Interval = tuple[float, float]


def wilson(k: float, n: float, z: float = 1.96) -> Interval:
    """The score interval of a share k/n (Wilson 1927, JASA 22:209-212); [0, 1] when there is no item."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is not a share")
    if n == 0:
        return (0.0, 1.0)
    p, shrink = k / n, 1 + z * z / n
    middle = (p + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (0.0 if k == 0 else max(0.0, middle - half), 1.0 if k == n else min(1.0, middle + half))
