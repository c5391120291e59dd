"""What more dreaming would still bring: a curve through what was measured, where to stop, and whether dreams rank so.

    curve = fitted([(0, 0.1), (1, 0.2), (4, 0.45), (16, 0.7), (64, 0.75)])
    print(curve.at(128), curve.stop(least=0.02))

The curve is a hyperbola, the plainest one that rises at once and levels off (Michaelis and Menten 1913): s(x) = s0 +
(top - s0) x / (x + half). `half` is the compute at which half of all that can be gained is gained.

Always holds: a curve stays between 0 and 1; the same points give the same curve; where compute made things worse, the
curve falls, and says to stop at once.

Knows numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
_FINE = 400  # values of `half` that are tried
_BEYOND = 8.0  # times the most that was measured: further nothing is known of a level
LEAST = 0.02


@dataclass(frozen=True)
class Curve:
    """`error`: root of the mean square of what is left, in shares."""

    start: float
    top: float
    half: float
    error: float
    most: float  # compute that was measured

    def at(self, compute: float) -> float:
        return self.start + (self.top - self.start) * compute / (compute + self.half)

    def stop(self, least: float = LEAST) -> float | None:
        """The least compute from which twice as much gains less than `least`; None if that is further than twice what
        was measured: there, measure on."""
        compute = self.most / 4096
        while compute <= 2 * self.most:
            if all(self.at(2 * more) - self.at(more) < least for more in _doublings(compute, self.half)):
                return compute
            compute *= 2**0.25
        return None


def fitted(points: Sequence[Point]) -> Curve:
    """By least squares; several points may have the same compute. ValueError without a point at 0 or two others."""
    zero = [share for compute, share in points if compute == 0]
    rest = [(compute, share) for compute, share in points if compute > 0]
    if not zero or len({compute for compute, _ in rest}) < 2:
        raise ValueError("a curve needs what is so without compute, and at two amounts of it at least")
    start, most = sum(zero) / len(zero), max(compute for compute, _ in rest)
    least = min(compute for compute, _ in rest) / 8
    best: Curve | None = None
    for number in range(_FINE):
        half = least * (_BEYOND * most / least) ** (number / (_FINE - 1))
        shape = [compute / (compute + half) for compute, _ in rest]
        rise = sum(x * (share - start) for x, (_, share) in zip(shape, rest, strict=True)) / sum(x * x for x in shape)
        top = min(1.0, max(0.0, start + rise))
        left = [start + (top - start) * x - share for x, (_, share) in zip(shape, rest, strict=True)]
        error = (sum(each * each for each in left) / len(left)) ** 0.5
        if best is None or error < best.error - 1e-12:
            best = Curve(start, top, half, error, most)
    assert best is not None
    return best


def rank_agreement(pairs: Sequence[Point]) -> float | None:
    """Whether two scores of the same policies rank them alike: Kendall's tau-b (1945), from -1 to 1; None if one of the
    scores tells none of them apart."""
    both = first = second = 0
    for at, (a, b) in enumerate(pairs):
        for c, d in pairs[:at]:
            one, other = (a > c) - (a < c), (b > d) - (b < d)
            both += one * other
            first += one != 0
            second += other != 0
    return both / (first * second) ** 0.5 if first and second else None


def _doublings(compute: float, half: float) -> list[float]:
    """From here on to where the curve is level."""
    found = [compute]
    while found[-1] < 8 * half:
        found.append(2 * found[-1])
    return found
