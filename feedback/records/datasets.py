"""Datasets: named collections of feedback, to export as training or test sets."""

from __future__ import annotations

from msgspec import Struct

from feedback.database import Connection
from feedback.errors import Invalid
from feedback.projects.scoped_database import ProjectDatabase
from feedback.validation import check_name, from_micros, parse_id

MAX_AT_ONCE = 1000
ALL = """SELECT dataset, COUNT(*) AS pieces, MAX(added_at) AS changed_at FROM feedback_dataset_item
WHERE project = :project GROUP BY dataset ORDER BY dataset"""
ADD = """INSERT INTO feedback_dataset_item (project, dataset, feedback_id, added_at)
SELECT project, CAST(:dataset AS TEXT), id, now_us() FROM feedback WHERE project = :project AND id = :id
ON CONFLICT DO NOTHING"""
REMOVE = "DELETE FROM feedback_dataset_item WHERE project = :project AND dataset = :dataset"


class Dataset(Struct):
    """A dataset: its amount of feedback, and when some was last added."""

    name: str
    count: int
    changed_at: str


class DatasetItems(Struct):
    """Feedback to add to a dataset, by id."""

    ids: list[str]


class DatasetChange(Struct):
    """How much feedback was added or removed."""

    changed: int


class Datasets:
    """The datasets of one project. A dataset exists as long as it has feedback."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def all(self) -> list[Dataset]:
        """Return the datasets, by name."""
        rows = await self._database.read(lambda db: db.all(ALL))
        return [Dataset(row["dataset"], row["pieces"], from_micros(row["changed_at"])) for row in rows]

    async def add(self, name: str, items: DatasetItems) -> DatasetChange:
        """Add the feedback that exists and is not in the dataset yet. Errors: `Invalid`."""
        dataset, ids = check_name("name", name.strip()), _ids(items.ids)

        def work(db: Connection) -> DatasetChange:
            return DatasetChange(sum(db.execute(ADD, dataset=dataset, id=one) for one in ids))

        return await self._database.write(work)

    async def remove(self, name: str, ids: list[str] | None) -> DatasetChange:
        """Remove the feedback from the dataset, or all of it without ids. Errors: `Invalid`."""
        dataset = check_name("name", name.strip())
        if ids is None:
            return DatasetChange(await self._database.write(lambda db: db.execute(REMOVE, dataset=dataset)))
        names, one_of = _ids(ids), f"{REMOVE} AND feedback_id = :id"
        return await self._database.write(
            lambda db: DatasetChange(sum(db.execute(one_of, dataset=dataset, id=one) for one in names))
        )


def _ids(ids: list[str]) -> list[str]:
    if not 1 <= len(ids) <= MAX_AT_ONCE:
        raise Invalid(f"`ids` lists {len(ids)} pieces of feedback; name 1 to {MAX_AT_ONCE}")
    return list(dict.fromkeys(parse_id("ids[]", one) for one in ids))
