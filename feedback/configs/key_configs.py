"""KeyConfigs: the stored configurations of feedback keys, and which of them applies.

* A feedback key's first configuration applies to all feedback that has none of its own.
* A feedback key may also have one enforced configuration. It precedes the first, and those that programs send with
  feedback. Only a presigned URL's own configuration precedes it, since the URL was minted with it.
* All configurations of a feedback key share its direction (`is_lower_score_better`) and `subject_policy` (what a second
  submission of a subject does). A policy in the configuration of the feedback itself precedes the feedback key's.
* Deleted configurations do not apply; listings include them on request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import uuid_utils
from msgspec import Struct, structs

from feedback.configs.feedback_config import FREE, REPLACE, FeedbackConfig
from feedback.configs.kinds import NEGATIVE
from feedback.configs.schema import FeedbackConfigCreate, FeedbackConfigPatch, FeedbackConfigSchema
from feedback.database import Connection, Row, build_in_list, build_like_pattern
from feedback.errors import Conflict, Invalid, NotFound
from feedback.projects.projects import project_id
from feedback.projects.scoped_database import ProjectDatabase
from feedback.validation import check_name, from_micros, parse_id

ONE = "SELECT * FROM feedback_config WHERE project = :project AND id = :id"
OF_KEY = """SELECT * FROM feedback_config WHERE project = :project AND key = :key AND deleted_at IS NULL
ORDER BY is_enforced DESC, is_first DESC, modified_at DESC, id"""
INSERT = """INSERT INTO feedback_config
    (project, id, key, config, is_lower_score_better, subject_policy, is_enforced, is_first, created_at, modified_at)
VALUES (:project, :id, :key, :config, :lower, :policy, :enforced, :first, now_us(), now_us()) ON CONFLICT DO NOTHING"""
DIRECT = """UPDATE feedback_config SET is_lower_score_better = COALESCE(CAST(:lower AS INTEGER), is_lower_score_better),
    subject_policy = COALESCE(CAST(:policy AS TEXT), subject_policy)
WHERE project = :project AND key = :key AND deleted_at IS NULL"""
CHANGE = """UPDATE feedback_config SET config = :config, modified_at = now_us()
WHERE project = :project AND id = :id AND deleted_at IS NULL"""
TAKE = "UPDATE feedback_config SET id = id WHERE project = :project AND key = :key AND deleted_at IS NULL"
DELETE = """UPDATE feedback_config SET deleted_at = now_us(), modified_at = now_us()
WHERE project = :project AND deleted_at IS NULL AND """
FIRST_OF_KEY = """NOT EXISTS (SELECT 1 FROM feedback_config AS better
WHERE better.project = feedback_config.project AND better.key = feedback_config.key AND better.deleted_at IS NULL
AND (better.is_enforced > feedback_config.is_enforced
    OR (better.is_enforced = feedback_config.is_enforced AND better.is_first > feedback_config.is_first)))"""


class ConfigSearch(Struct):
    """Which configurations to list: one for each feedback key, or all, including deleted ones."""

    key: Sequence[str] = ()
    name_contains: str | None = None
    include_all_configs: bool = False
    is_enforced: bool | None = None
    limit: int = 100
    offset: int = 0

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the query and its parameters. Errors: `Invalid`."""
        clauses = ["project = :project", *([] if self.include_all_configs else ["deleted_at IS NULL"])]
        parameters: dict[str, Any] = {"limit": self.limit, "offset": self.offset}
        if self.key:
            chosen, names = build_in_list("key", (check_name("key", name) for name in self.key))
            clauses.append(f"key IN {chosen}")
            parameters |= names
        if self.name_contains:
            clauses.append("LOWER(key) LIKE :pattern ESCAPE '!'")
            parameters["pattern"] = build_like_pattern(check_name("name_contains", self.name_contains))
        if self.is_enforced is not None:
            clauses.append(f"is_enforced = {int(self.is_enforced)}")
        elif not self.include_all_configs:
            clauses.append(FIRST_OF_KEY)
        where = " AND ".join(clauses)
        return (
            f"SELECT * FROM feedback_config WHERE {where} ORDER BY key, created_at, id LIMIT :limit OFFSET :offset",
            parameters,
        )


class KeyConfigs:
    """The configurations of one project's feedback keys."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def create(self, wanted: FeedbackConfigCreate) -> FeedbackConfigSchema:
        """Create the feedback key's configuration, or return an existing one that is equal.

        Errors: `Invalid` if the feedback key has another (and this one is not to be enforced), `Conflict` if it has
        another that is enforced.
        """
        return _schema(await self._database.write(lambda db: _create(db, wanted)))

    async def update(self, patch: FeedbackConfigPatch) -> FeedbackConfigSchema:
        """Change the configuration with the id, or the one that applies to the feedback key, and return it.

        Errors: `NotFound`; `Invalid` if the categories cannot change that way.
        """

        def work(db: Connection) -> Row:
            db.execute(TAKE, key=patch.feedback_key)
            row = _choose(db.all(OF_KEY, key=patch.feedback_key), patch)
            config = patch.change_config(_config(row))
            if config != _config(row):
                db.execute(CHANGE, id=row["id"], config=_text(config))
            _set_shared_fields(db, patch)
            return db.one(ONE, id=row["id"]) or row

        return _schema(await self._database.write(work))

    async def delete(self, key: str | None, config_id: str | None) -> None:
        """Delete the feedback key's configurations, or the one with the id; it is no error if there are none.

        Errors: `Invalid` unless exactly one of the two is given.
        """
        if (key is None) == (config_id is None):
            raise Invalid("Say which configurations to delete: send either `feedback_key` or `id`")
        if key is not None:
            await self._database.write(lambda db: db.execute(f"{DELETE} key = :key", key=key))
        else:
            name = parse_id("id", config_id or "")
            await self._database.write(lambda db: db.execute(f"{DELETE} id = :id", id=name))

    async def search(self, wanted: ConfigSearch) -> list[FeedbackConfigSchema]:
        """Return the matching configurations, by feedback key."""
        sql, parameters = wanted.sql()
        return [_schema(row) for row in await self._database.read(lambda db: db.all(sql, **parameters))]


def find_config_of_key(db: Connection, key: str, own: FeedbackConfig | None = None) -> FeedbackConfig:
    """Return the configuration for feedback on the key: the enforced one, else its own, else the key's, else `FREE`.

    The feedback key's policy is filled in if the configuration has none.
    """
    row = db.one(OF_KEY, key=key)
    if row is None:
        return own or FREE
    return _fill_policy(_config(row) if own is None or row["is_enforced"] else own, row)


def find_config_of_url(db: Connection, key: str, own: FeedbackConfig | None) -> FeedbackConfig:
    """Return the configuration for submissions through a URL: the one it was minted with, else the feedback key's."""
    if own is None or own.subject_policy is not None:
        return own or find_config_of_key(db, key)
    row = db.one(OF_KEY, key=key)
    return own if row is None else _fill_policy(own, row)


def _fill_policy(config: FeedbackConfig, row: Row) -> FeedbackConfig:
    if config.subject_policy or row["subject_policy"] == REPLACE:
        return config
    return structs.replace(config, subject_policy=row["subject_policy"])


def _set_shared_fields(db: Connection, wanted: FeedbackConfigCreate | FeedbackConfigPatch) -> None:
    """Set the given ones of the fields that all configurations of the feedback key share."""
    lower, policy = wanted.is_lower_score_better, wanted.subject_policy
    if lower is not None or policy is not None:
        db.execute(DIRECT, key=wanted.feedback_key, lower=None if lower is None else int(lower), policy=policy)


def _create(db: Connection, wanted: FeedbackConfigCreate) -> Row:
    for _ in range(3):
        rows = db.all(OF_KEY, key=wanted.feedback_key)
        if found := _find_same(rows, wanted):
            return found
        name = str(uuid_utils.uuid7())
        if db.execute(INSERT, **_row(name, rows, wanted)):
            _set_shared_fields(db, wanted)
            if row := db.one(ONE, id=name):
                return row
    raise Conflict("The key's configurations were being changed by another request all the while; send it again")


def _find_same(rows: list[Row], wanted: FeedbackConfigCreate) -> Row | None:
    """Return the row that equals `wanted`, if any. `Conflict` or `ConfigExists` if the feedback key cannot have it."""
    for row in rows:
        if wanted.feedback_config.is_met_by(_config(row)) and bool(row["is_enforced"]) >= wanted.is_enforced:
            _check_shared(row, wanted)
            return row
    if wanted.is_enforced and any(row["is_enforced"] for row in rows):
        raise Conflict("The key has an enforced configuration already, and may have one only; update or delete that")
    if rows and not wanted.is_enforced:
        raise ConfigExists("Feedback config already exists, and is another; update it, or delete it first")
    return None


def _check_shared(row: Row, wanted: FeedbackConfigCreate) -> None:
    for name in ("is_lower_score_better", "subject_policy"):
        if (requested := getattr(wanted, name)) is not None and requested != row[name]:
            raise ConfigExists(f"Feedback config already exists, and its `{name}` is another; update it")


class ConfigExists(Invalid):
    """The feedback key has another configuration. Status 400, as in LangSmith."""

    status_code = 400
    code = "config_exists"


def _row(name: str, rows: list[Row], wanted: FeedbackConfigCreate) -> dict[str, Any]:
    direction = wanted.is_lower_score_better
    before = rows[0]["is_lower_score_better"] if rows else wanted.feedback_key in NEGATIVE
    return {
        "id": name,
        "key": wanted.feedback_key,
        "config": _text(wanted.feedback_config),
        "lower": int(before if direction is None else direction),
        "policy": wanted.subject_policy or (rows[0]["subject_policy"] if rows else REPLACE),
        "enforced": int(wanted.is_enforced),
        "first": int(not rows),
    }


def _choose(rows: list[Row], patch: FeedbackConfigPatch) -> Row:
    for row in rows:
        if patch.id is None or row["id"] == patch.id:
            return row
    which = f" with the id {patch.id}" if patch.id else ""
    raise NotFound(f"There is no feedback config{which} for the key {patch.feedback_key[:60]!r}; create it first")


def _config(row: Row) -> FeedbackConfig:
    return msgspec.json.decode(row["config"], type=FeedbackConfig)


def _text(config: FeedbackConfig) -> str:
    return msgspec.json.encode(config).decode()


def _schema(row: Row) -> FeedbackConfigSchema:
    return FeedbackConfigSchema(
        id=row["id"],
        feedback_key=row["key"],
        feedback_config=_config(row),
        tenant_id=project_id(row["project"]),
        modified_at=from_micros(row["modified_at"]),
        is_lower_score_better=bool(row["is_lower_score_better"]),
        is_enforced=bool(row["is_enforced"]),
        is_first=bool(row["is_first"]),
        is_deleted=row["deleted_at"] is not None,
        subject_policy=row["subject_policy"],
    )
