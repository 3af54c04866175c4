"""Storage of one project's datasets, examples, annotation queues and queued runs, as named JSON objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from feedback.database import Connection, Row
from feedback.errors import Conflict, NotFound
from feedback.projects.scoped_database import ProjectDatabase
from feedback.validation import check_json, check_name, from_micros, parse_id

NO_PARENT = ""
ALL = "SELECT * FROM feedback_resource WHERE project = :project AND kind = :kind"
ONE = f"{ALL} AND id = :id"
INSERT = """INSERT INTO feedback_resource (id, project, kind, parent, name, body, run_id, created_at, modified_at)
VALUES (:id, :project, :kind, :parent, :name, :body, :run_id, COALESCE(CAST(:created_at AS BIGINT), now_us()), now_us())
ON CONFLICT DO NOTHING"""
UPDATE = """UPDATE feedback_resource SET name = :name, body = :body, modified_at = now_us()
WHERE project = :project AND kind = :kind AND id = :id"""
DELETE = "DELETE FROM feedback_resource WHERE project = :project AND (id = :id OR parent = :id)"
COUNT = "SELECT COUNT(*) AS n FROM feedback_resource WHERE project = :project AND kind = :kind AND parent = :parent"


class Resource(Struct):
    """A stored resource. Times are ISO 8601."""

    id: str
    parent: str
    name: str
    body: dict[str, Any]
    created_at: str
    modified_at: str


class NewResource(Struct):
    """A resource to create; its name defaults to its id. `run_id` is the run that its content was copied from."""

    id: str
    body: dict[str, Any]
    name: str | None = None
    parent: str = NO_PARENT
    created_at: int | None = None
    run_id: str | None = None


class ResourceFilter(Struct):
    """Filters on resources."""

    parent: str | None = None
    ids: Sequence[str] | None = None
    name: str | None = None
    name_contains: str | None = None
    metadata: dict[str, Any] | None = None
    limit: int = 100
    offset: int = 0

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the SQL conditions and their parameters. Errors: `Invalid`."""
        clauses, parameters = [""], dict[str, Any]()
        if self.parent is not None:
            clauses.append("parent = :parent")
            parameters["parent"] = self.parent
        if self.name is not None:
            clauses.append("name = :name")
            parameters["name"] = check_name("name", self.name)
        if self.name_contains:
            escaped = self.name_contains.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
            clauses.append("LOWER(name) LIKE :part ESCAPE '!'")
            parameters["part"] = f"%{escaped}%"
        if self.ids is not None:
            names = {f"id_{at}": parse_id("id", one) for at, one in enumerate(self.ids)}
            clauses.append(f"id IN ({', '.join(f':{name}' for name in names)})" if names else "1 = 0")
            parameters |= names
        return " AND ".join(clauses), parameters


class Resources:
    """Stores the resources of one kind in one project."""

    def __init__(self, database: ProjectDatabase, kind: str, noun: str) -> None:
        self._database = database
        self._kind = kind
        self._noun = noun

    async def create(self, *new: NewResource) -> list[Resource]:
        """Store all of the resources durably, or none. Errors: `Conflict` if an id or a name is taken."""
        for one in new:
            check_json(self._noun, one.body)

        def work(db: Connection) -> list[Resource]:
            return [self._insert(db, one) for one in new]

        return await self._database.write(work)

    async def get(self, resource_id: str) -> Resource:
        """Return the resource. Errors: `NotFound`, `Invalid`."""
        key = parse_id(f"{self._noun} id", resource_id)
        row = await self._database.read(lambda db: db.one(ONE, kind=self._kind, id=key))
        if row is None:
            raise self._build_not_found(key)
        return _resource(row)

    async def list_resources(self, which: ResourceFilter) -> list[Resource]:
        """Return the matching resources in creation order. Errors: `Invalid`."""
        where, parameters = which.sql()
        sql = f"{ALL}{where} ORDER BY created_at, id"
        page = {} if which.metadata else {"limit": which.limit, "offset": which.offset}
        limited = f"{sql} LIMIT :limit OFFSET :offset" if page else sql
        rows = await self._database.read(lambda db: db.all(limited, kind=self._kind, **parameters, **page))
        found = [_resource(row) for row in rows]
        if not which.metadata:
            return found
        fitting = [one for one in found if which.metadata.items() <= (one.body.get("metadata") or {}).items()]
        return fitting[which.offset : which.offset + which.limit]

    async def count(self, parent: str) -> int:
        """Return the number of resources with this parent."""
        row = await self._database.read(lambda db: db.one(COUNT, kind=self._kind, parent=parent))
        return int(row["n"]) if row else 0

    async def update(self, resource_id: str, body: dict[str, Any], name: str | None = None) -> Resource:
        """Change the members in `body` and return the resource. Errors: `NotFound`, `Conflict`."""
        key = parse_id(f"{self._noun} id", resource_id)
        check_json(self._noun, body)

        def work(db: Connection) -> Row | None:
            if (row := db.one(ONE, kind=self._kind, id=key)) is None:
                return None
            changed = msgspec.json.decode(row["body"]) | body
            self._check_free(db, row, name)
            db.execute(UPDATE, kind=self._kind, id=key, name=name or row["name"], body=_text(changed))
            return db.one(ONE, kind=self._kind, id=key)

        if (row := await self._database.write(work)) is None:
            raise self._build_not_found(key)
        return _resource(row)

    async def delete(self, resource_id: str) -> None:
        """Delete the resource and its children. Errors: `NotFound`."""
        key = parse_id(f"{self._noun} id", resource_id)
        if not await self._database.write(lambda db: db.execute(DELETE, id=key)):
            raise self._build_not_found(key)

    def _insert(self, db: Connection, new: NewResource) -> Resource:
        key = parse_id(f"{self._noun} id", new.id)
        name = check_name("name", new.name) if new.name is not None else key
        row = {"id": key, "parent": new.parent, "name": name, "body": _text(new.body), "run_id": new.run_id}
        if not db.execute(INSERT, kind=self._kind, created_at=new.created_at, **row):
            raise Conflict(f"The id {key} or the name {name!r} is taken by another {self._noun}; choose another one")
        stored = db.one(ONE, kind=self._kind, id=key)
        assert stored is not None
        return _resource(stored)

    def _check_free(self, db: Connection, row: Row, name: str | None) -> None:
        taken = f"{ALL} AND parent = :parent AND name = :name"
        if name is not None and name != row["name"]:
            check_name("name", name)
            if db.one(taken, kind=self._kind, parent=row["parent"], name=name):
                raise Conflict(f"The name {name!r} is taken by another {self._noun}; choose another one")

    def _build_not_found(self, key: str) -> NotFound:
        return NotFound(f"There is no {self._noun} with the id {key}")


def _resource(row: Row) -> Resource:
    times = (from_micros(row["created_at"]), from_micros(row["modified_at"]))
    return Resource(row["id"], row["parent"], row["name"], msgspec.json.decode(row["body"]), *times)


def _text(body: dict[str, Any]) -> str:
    return msgspec.json.encode(body).decode()
