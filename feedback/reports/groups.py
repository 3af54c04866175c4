"""Groups of feedback with the sums over their scores, and how groups are merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from feedback.configs.kind_lookup import UNKNOWN
from feedback.configs.kinds import KeyKind
from feedback.reports.confidence import Moments

PERIODS = ("day", "week", "month")


class Sums(Struct):
    """The sums over the scores of one group."""

    count: int = 0
    scores: int = 0
    summed: int = 0
    positives: int = 0
    negatives: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, other: Sums) -> None:
        """Add the sums of another group to these."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def moments(self) -> Moments:
        """Return the scores' number, mean and spread, without scores too large to sum."""
        if not self.summed:
            return Moments(0, 0.0, 0.0)
        mean = self.total / self.summed
        return Moments(self.summed, mean, max(0.0, self.squares - self.summed * mean * mean))


Place = dict[str, Any]


class Group(Struct):
    """The sums of a group, those of its feedback key's counterpart, and its values of the dimensions."""

    place: Place
    sums: Sums
    other: Sums = msgspec.field(default_factory=Sums)

    @property
    def votes(self) -> Sums:
        """Return the sums over the scores of the feedback key and its counterpart, of which shares are taken."""
        both = Sums()
        both.add(self.sums)
        both.add(self.other)
        return both


def drop_period(group: Group) -> Group:
    """Return the group without its day, week or month."""
    return Group({name: value for name, value in group.place.items() if name not in PERIODS}, group.sums, group.other)


def merge_groups(groups: Iterable[Group]) -> list[Group]:
    """Merge groups of the same place, such as the days of a week."""
    found: dict[tuple[Any, ...], Group] = {}
    for one in groups:
        into = found.setdefault(tuple(one.place.values()), Group(one.place, Sums()))
        into.sums.add(one.sums)
        into.other.add(one.other)
    return list(found.values())


def join_counterparts(groups: Sequence[Group], found: Mapping[str, KeyKind]) -> list[Group]:
    """Return the groups with the sums of their keys' counterparts; also groups that only the counterpart has."""
    sums = {tuple(one.place.values()): one.sums for one in groups}
    joined = []
    for one in groups:
        name = found.get(one.place["key"], UNKNOWN).counterpart
        if name is None:
            joined.append(one)
            continue
        place = {**one.place, "key": name}
        other = sums.get(tuple(place.values()))
        joined.append(Group(one.place, one.sums, other or Sums()))
        if other is None:
            joined.append(Group(place, Sums(), one.sums))
    return joined
