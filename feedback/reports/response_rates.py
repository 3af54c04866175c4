"""Response rates: through how many of the presigned URLs that were minted feedback came."""

from __future__ import annotations

from collections import Counter

import msgspec
from msgspec import Struct

from feedback.database import Connection
from feedback.projects.scoped_database import ProjectDatabase, whole
from feedback.reports.confidence import Interval, wilson
from feedback.reports.query import FeedbackQuery

# Grants are written in the order of time, so the first one of a time is found by halving their numbers; an index on
# the time would cost every minting something.
LAST = "SELECT MAX(id) AS id FROM feedback_grant"
FROM = "SELECT id, created_at FROM feedback_grant WHERE id >= :id ORDER BY id LIMIT 1"


class ResponseRate(Struct):
    """How many URLs were minted for a key, and through how many of them feedback came; with the 95 % interval."""

    key: str
    minted: int
    answered: int
    rate: float
    interval: Interval


class ResponseRates:
    """Counts the presigned URLs of one project."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def of(self, query: FeedbackQuery) -> list[ResponseRate]:
        """The rate of each key, of URLs minted in the time of the query, the most minted first. Errors: `Invalid`."""
        only = FeedbackQuery(assistant=query.assistant, version=query.version, since=query.since, until=query.until)
        where, parameters = only.sql()

        def work(db: Connection) -> list[ResponseRate]:
            first = _first_since(whole(db), parameters.get("since"))
            grants = f"feedback_grant WHERE id >= :first AND {where}"
            minted: Counter[str] = Counter()
            sql = f"SELECT feedback_keys, COUNT(*) AS times FROM {grants} GROUP BY feedback_keys"
            for row in db.all(sql, first=first, **parameters):
                for key in msgspec.json.decode(row["feedback_keys"], type=list[str]):
                    minted[key] += row["times"]
            answered = _answered(db, grants, first, parameters)
            keys = [key for key, _ in minted.most_common() if not query.key or key in query.key]
            return [_rate(key, minted[key], answered.get(key, 0)) for key in keys]

        return await self._database.read(work)


def _answered(db: Connection, grants: str, first: int, parameters: dict[str, object]) -> dict[str, int]:
    """The number of URLs of these grants with feedback, by key."""
    rows = db.all(
        f"""SELECT key, COUNT(*) AS times FROM (
            SELECT DISTINCT grant_id, grant_key, key FROM feedback
            WHERE project = :project AND grant_id IN (SELECT id FROM {grants})
        ) AS urls GROUP BY key""",
        first=first,
        **parameters,
    )
    return {row["key"]: row["times"] for row in rows}


def _first_since(db: Connection, since: object) -> int:
    """The number of the first grant of that time or later."""
    last = db.one(LAST)
    low, high = 0, (last["id"] or 0) if last else 0
    if not isinstance(since, int):
        return 0
    while low < high:
        middle = (low + high) // 2
        row = db.one(FROM, id=middle)
        if row is None or row["created_at"] >= since:
            high = middle
        else:
            low = middle + 1
    return low


def _rate(key: str, minted: int, answered: int) -> ResponseRate:
    answered = min(answered, minted)
    return ResponseRate(key, minted, answered, answered / minted, wilson(answered, minted))
