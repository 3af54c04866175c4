"""Text blocks: a Bloom filter over the texts of each 256 consecutive pieces of feedback, for searches on SQLite.

A search reads the filters first, and then the feedback of those blocks that may have the text, and feedback that is in
no block: the newest pieces, and those of a block that a change deleted. So blocks only ever save work, and are built
afterwards, in small steps. A filter has hashes of groups of three characters of all of its texts, and no text.

PostgreSQL has an index of such groups instead (`pg_trgm`): there a transaction may commit feedback into a block that
another one has just built.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Iterable
from itertools import accumulate

from feedback.database import Connection, Database, Row

logger = logging.getLogger("feedback")

ROWS = 256
"""The number of texts in a block, unless they are long."""
CHARACTERS = 64 * 1024
"""After so many characters a block ends: more would set most of its bits."""
BITS = 32 * 1024
GROUP = 3
BUILD_SECONDS = 60.0
PAUSE_SECONDS = 0.005
EVER = -(2**62)

_TEXTS = """FROM feedback WHERE project = :project AND created_at > :after AND created_at <= :upto
AND (comment IS NOT NULL OR value IS NOT NULL OR correction IS NOT NULL)"""
NEXT = f"SELECT created_at, comment, value, correction {_TEXTS} ORDER BY created_at LIMIT {ROWS}"
OF_TIME = f"SELECT created_at, comment, value, correction {_TEXTS}"
GAP = """SELECT after, upto FROM (
    SELECT begins_at AS upto, LAG(ends_at, 1, (SELECT MIN(created_at) - 1 FROM feedback WHERE project = :project))
        OVER (ORDER BY ends_at) AS after
    FROM feedback_text_block WHERE project = :project
) AS neighbours WHERE upto > after ORDER BY after LIMIT 1"""
"""The oldest time before a block that is in none, although there is feedback; a change has deleted what was there."""
LATEST = f"SELECT COALESCE(MAX(ends_at), {EVER}) AS after FROM feedback_text_block WHERE project = :project"
PUT = """INSERT INTO feedback_text_block (project, ends_at, begins_at, bits)
VALUES (:project, :ends_at, :begins_at, :bits)"""
FORGET_EMPTY = f"""DELETE FROM feedback_text_block WHERE project = :project
AND ends_at < (SELECT COALESCE(MIN(created_at), {-EVER}) FROM feedback WHERE project = :project)"""


def groups_of(text: str) -> set[str]:
    """Return all groups of three characters in the text, in lower case.

    What `LIKE` takes for equal has equal groups: each character is mapped by itself (Python's `lower` looks at the
    neighbours of a capital sigma only).
    """
    plain = text.lower().replace("ς", "σ")
    return {plain[at : at + GROUP] for at in range(len(plain) - GROUP + 1)}


def places_of(groups: Iterable[str]) -> set[int]:
    """Return the bits of the groups."""
    return {zlib.crc32(group.encode("utf-8", "surrogatepass")) % BITS for group in groups}


def bits_of(texts: Iterable[str]) -> bytes:
    """Return the filter of the texts."""
    groups: set[str] = set()
    for text in texts:
        groups |= groups_of(text)
    bits = bytearray(BITS // 8)
    for place in places_of(groups):
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def may_have(bits: bytes, places: Iterable[int]) -> bool:
    """Return whether a block with this filter may have a text with all of these bits."""
    return all(bits[place >> 3] >> (place & 7) & 1 for place in places)


def build_next(db: Connection, project: str) -> bool:
    """Build a missing block; return whether there was one to build."""
    if gap := db.one(GAP, project=project):
        return _build(db, project, gap["after"], gap["upto"])
    latest = db.one(LATEST, project=project)
    if latest and _build(db, project, latest["after"], None):
        return True
    db.execute(FORGET_EMPTY, project=project)
    return False


def _build(db: Connection, project: str, after: int, upto: int | None) -> bool:
    """Build the first block after a time; only a full one, if it may have no end."""
    rows = db.all(NEXT, project=project, after=after, upto=-EVER if upto is None else upto)
    sizes = accumulate(sum(map(len, _texts(row))) for row in rows)
    count = next((at for at, size in enumerate(sizes, 1) if size >= CHARACTERS), len(rows))
    is_full = count < len(rows) or len(rows) == ROWS
    if upto is None and not is_full:
        return False
    if is_full:  # what has the same time is in the same block, however much that is
        upto = rows[count - 1]["created_at"]
        same = db.all(OF_TIME, project=project, after=upto - 1, upto=upto)
        rows = [*(row for row in rows[:count] if row["created_at"] < upto), *same]
    bits = bits_of(text for row in rows for text in _texts(row))
    db.execute(PUT, project=project, begins_at=after, ends_at=upto, bits=bits)
    return True


def _texts(row: Row) -> list[str]:
    return [text for text in (row["comment"], row["value"], row["correction"]) if text is not None]


async def build_all(database: Database) -> int:
    """Build the blocks of all projects, each in a transaction of its own; return how many were built."""
    if database.dialect != "sqlite":
        return 0
    built = 0
    for row in await database.read(lambda db: db.all("SELECT name FROM feedback_project")):
        while await database.write(lambda db, project=row["name"]: build_next(db, project)):  # type: ignore[misc]
            built += 1
            await asyncio.sleep(PAUSE_SECONDS)
    return built


async def keep_building(database: Database, every: float = BUILD_SECONDS) -> None:
    """Build blocks regularly, until cancelled."""
    while database.dialect == "sqlite":
        try:
            await build_all(database)
        except Exception as error:  # the database may respond again later
            logger.warning("text blocks were not built: %r", error)
        await asyncio.sleep(every)
