"""Alert rules: the conditions under which a feedback key's feedback counts as bad.

thumbs below 0.7 in 24h of 20      the share of positive scores is below 70 %, even at the upper end of its interval
stars mean below 3.5 in 24h of 20  the mean is below 3.5, even at the upper end of its interval
latency mean above 800 in 24h      the mean is above 800, even at the lower end of its interval
thumbs worse in 7d of 20           the newest version is worse than the version before it, in the whole interval of
                                   their difference
"""

from __future__ import annotations

import math
import re

from msgspec import Struct

from feedback.reports.stats import ENOUGH
from feedback.validation import MAX_KEY

MAX_HOURS = 24 * 365
EXAMPLES = "`thumbs below 0.7 in 24h of 20`, `stars mean below 3.5` or `thumbs worse in 7d of 20`"
_NUMBER = r"-?\d*\.?\d+"
_RULE = re.compile(
    rf"(?P<key>.+?)\s+(?:mean\s+(?P<side>below|above)\s+(?P<mean>{_NUMBER})"
    r"|below\s+(?P<below>\d*\.?\d+)(?P<percent>\s*%)?|(?P<worse>worse))"
    r"(?:\s+in\s+(?P<time>\d+)\s*(?P<unit>[hd]))?(?:\s+of\s+(?P<enough>\d+))?"
)


class AlertRule(Struct, frozen=True):
    """A bound on a feedback key: the share of positive scores (`below`) or the mean (`mean_below`, `mean_above`).

    Without a bound the rule fires if the newest version of an assistant is worse than the one before it.

    `hours` is the length of the window, `enough` the minimum number of scores. Errors: `ValueError`.
    """

    key: str
    below: float | None = None
    hours: int = 24
    enough: int = ENOUGH
    mean_below: float | None = None
    mean_above: float | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.key) <= MAX_KEY:
            raise ValueError(f"an alert's feedback key has {len(self.key)} characters; it has 1 to {MAX_KEY}")
        if self.below is not None and not 0 < self.below < 1:
            raise ValueError(
                f"the alert of {self.key!r} is for a share below {self.below:g}; a share is above 0, below 1. "
                f"For a mean, write `{self.key} mean below {self.below:g}`"
            )
        bounds = [one for one in (self.below, self.mean_below, self.mean_above) if one is not None]
        if len(bounds) > 1 or not all(map(math.isfinite, bounds)):
            raise ValueError(f"the alert of {self.key!r} has {len(bounds)} bounds; give one finite number, or none")
        if not 1 <= self.hours <= MAX_HOURS:
            raise ValueError(f"the alert of {self.key!r} looks back {self.hours} hours; give 1 to {MAX_HOURS}")
        if self.enough < 1:
            raise ValueError(f"the alert of {self.key!r} takes {self.enough} scores; give 1 at least")

    @property
    def compares_versions(self) -> bool:
        """Whether the rule compares the newest version with the one before it."""
        return self.below is None and self.mean_below is None and self.mean_above is None

    def __str__(self) -> str:
        time = f"{self.hours // 24}d" if self.hours % 24 == 0 and self.hours > 24 else f"{self.hours}h"
        what = "worse" if self.below is None else f"below {self.below:g}"
        if self.mean_below is not None:
            what = f"mean below {self.mean_below:g}"
        elif self.mean_above is not None:
            what = f"mean above {self.mean_above:g}"
        return f"{self.key} {what} in {time} of {self.enough}"


def alert_rules(text: str) -> list[AlertRule]:
    """Parse comma-separated rules, the format of the environment variable. Errors: `ValueError`."""
    return [parse_rule(one.strip()) for one in text.split(",") if one.strip()]


def parse_rule(text: str) -> AlertRule:
    """Parse one rule. Errors: `ValueError`."""
    if (found := _RULE.fullmatch(text)) is None:
        raise ValueError(f"{text!r} is no alert rule; write one such as {EXAMPLES}")
    given = found.groupdict()
    below = float(given["below"]) / (100 if given["percent"] else 1) if given["below"] else None
    mean = float(given["mean"]) if given["mean"] else None
    usual = 24 * 7 if given["worse"] else 24
    hours = int(given["time"]) * (24 if given["unit"] == "d" else 1) if given["time"] else usual
    return AlertRule(
        given["key"],
        below,
        hours,
        int(given["enough"] or ENOUGH),
        mean if given["side"] == "below" else None,
        mean if given["side"] == "above" else None,
    )
