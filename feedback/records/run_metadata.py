"""Metadata of runs, copied when their feedback is stored, so that feedback can be filtered by it.

Only the names that the settings declare are copied. The rows belong to the run, not to one feedback: they stay while
the run has any feedback, and erasing its last feedback deletes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from feedback.database import Connection, build_in_list
from feedback.errors import Invalid
from feedback.validation import check_text

MAX_FILTERS = 100
MAX_CHOICES = 100
"""The most values of a name that are listed as filter choices."""
KEEP = """INSERT INTO feedback_run_metadata (project, run_id, name, value) VALUES (:project, :run_id, :name, :value)
ON CONFLICT (project, run_id, name) DO UPDATE SET value = excluded.value
WHERE feedback_run_metadata.value <> excluded.value"""
OF_RUNS = "SELECT run_id, name, value FROM feedback_run_metadata WHERE project = :project AND run_id IN "
ANY = "SELECT 1 AS found FROM feedback_run_metadata WHERE project = :project LIMIT 1"
FORGET = """DELETE FROM feedback_run_metadata WHERE project = :project AND run_id IN {0}
AND NOT EXISTS (SELECT 1 FROM feedback WHERE feedback.project = feedback_run_metadata.project
    AND feedback.run_id = feedback_run_metadata.run_id)"""
# Both skip through the index (project, name, value): the cost does not grow with the runs.
NEXT_NAME = """SELECT name FROM feedback_run_metadata WHERE project = :project AND name > :name
ORDER BY name LIMIT 1"""
NEXT_VALUE = """SELECT value FROM feedback_run_metadata WHERE project = :project AND name = :name AND value > :value
ORDER BY value LIMIT 1"""


class MetadataChoice(Struct):
    """A name of run metadata, and its first values in alphabetical order."""

    name: str
    values: list[str]


def keep_metadata(db: Connection, run_id: str | None, values: Mapping[str, str]) -> None:
    """Store the run's metadata, in the transaction that stores its feedback."""
    for name, value in values.items():
        db.execute(KEEP, run_id=run_id, name=name, value=value)


def load_metadata(db: Connection, run_ids: Iterable[str | None]) -> dict[str, dict[str, str]]:
    """Return the stored metadata of the runs that have some, by run."""
    chosen, names = build_in_list("of_run", dict.fromkeys(one for one in run_ids if one is not None))
    found: dict[str, dict[str, str]] = {}
    for row in db.all(OF_RUNS + chosen, **names) if names else ():
        found.setdefault(row["run_id"], {})[row["name"]] = row["value"]
    return found


def has_metadata(db: Connection) -> bool:
    """Return whether any metadata is stored."""
    return db.one(ANY) is not None


def forget_metadata(db: Connection, run_ids: Iterable[str | None]) -> None:
    """Delete the metadata of those runs that have no feedback any more."""
    chosen, names = build_in_list("of_run", dict.fromkeys(one for one in run_ids if one is not None))
    if names:
        db.execute(FORGET.format(chosen), **names)


def metadata_choices(db: Connection) -> list[MetadataChoice]:
    """Return the names and values that feedback can be filtered by."""
    names = _list_distinct(db, NEXT_NAME, "name")
    return [MetadataChoice(name, _list_distinct(db, NEXT_VALUE, "value", name=name)) for name in names]


def _list_distinct(db: Connection, sql: str, column: str, **fixed: Any) -> list[str]:
    found: list[str] = []
    while len(found) < MAX_CHOICES and (row := db.one(sql, **fixed, **{column: found[-1] if found else ""})):
        found.append(row[column])
    return found


def metadata_sql(filters: Iterable[str]) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions of filters such as `plan:pro`, and their parameters. Errors: `Invalid`.

    Values of one name are alternatives; each name must match.
    """
    by_name: dict[str, list[str]] = {}
    for one in filters:
        name, separator, value = check_text("metadata", one, 400).partition(":")
        if not (name and separator and value):
            raise Invalid(f"`metadata` is {one[:40]!r}; send a name and a value, such as `plan:pro`")
        by_name.setdefault(name, []).append(value)
    if sum(map(len, by_name.values())) > MAX_FILTERS:
        raise Invalid(f"`metadata` lists more than {MAX_FILTERS} values")
    clauses: list[str] = []
    parameters: dict[str, Any] = {}
    for at, (name, values) in enumerate(by_name.items()):
        chosen, more = build_in_list(f"metadata_{at}_value", values)
        parameters |= {f"metadata_{at}": name, **more}
        clauses.append(
            f"run_id IN (SELECT run_id FROM feedback_run_metadata WHERE project = :project "
            f"AND name = :metadata_{at} AND value IN {chosen})"
        )
    return clauses, parameters
