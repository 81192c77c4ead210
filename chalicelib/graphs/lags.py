"""How late: durations counted in buckets that grow, so that few tell a quantile."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

#: How far a told duration may be from the true one, as a share of it.
ERROR: Final = 0.1
_GROWTH: Final = (1 + ERROR) / (1 - ERROR)
#: Two months and all above: nothing is that late.
_LAST: Final = 112


def bucket_of(ms: float) -> int:
    """Return the bucket of a duration in milliseconds; up to one of them is the first."""
    if ms <= 1:
        return 0
    return min(math.ceil(math.log(ms) / math.log(_GROWTH)), _LAST)


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """
    Return the duration that a share of all is within, in milliseconds.

    `counts` tells how many fell into each bucket; None when nothing did. The answer is
    within `ERROR` of the true one, or below one millisecond for what took less.
    """
    wanted = math.ceil(share * sum(counts.values()))
    for bucket in sorted(counts):
        wanted -= counts[bucket]
        if wanted <= 0 < counts[bucket]:
            return _middle(bucket)
    return None


def _middle(bucket: int) -> float:
    # As far, in proportion, from the lower end as from the upper one.
    return round(2 * _GROWTH**bucket / (_GROWTH + 1), 2) if bucket else 1.0
