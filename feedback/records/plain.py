"""Plain submissions: those that one statement stores, as most are.

A submission is plain if it needs no lookup first: its grant and its key's configuration are cached, and it repeats or
replaces nothing. What is cached stays valid as long as `feedback_epoch` has the number that was read with it: triggers
change that number in the transaction that revokes a token, deletes a grant, changes a configuration or registers a
webhook, in any process. The inserting statement checks the number, so it never relies on outdated data: it inserts no
row then, and the caller takes all steps one by one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from msgspec import Struct

from feedback.configs.feedback_config import FeedbackConfig
from feedback.configs.key_configs import find_config_of_url
from feedback.database import Connection
from feedback.delivery.outbox import has_webhooks
from feedback.errors import FeedbackError
from feedback.projects.scoped_database import scope_to_project
from feedback.rows import build_place_columns, build_submission_columns
from feedback.runs import RunPlace
from feedback.schema import FeedbackSubmission
from feedback.tokens.presigned import Grant, Minted, Pointer, claim

REMEMBERED_GRANTS = 20_000
REMEMBERED_CONFIGS = 5_000

EPOCH = "SELECT number FROM feedback_epoch"
_TYPES = {
    "adds_up": "INTEGER",
    "number": "DOUBLE PRECISION",
    "assistant_version": "INTEGER",
    "grant_id": "BIGINT",
    "grant_key": "INTEGER",
}
_COLUMNS = (
    "id", "project", "run_id", "trace_id", "key", "subject", "number", "score", "value", "comment", "correction",
    "metadata", "extra", "source", "thread_id", "assistant_id", "assistant_version", "trace_parent", "grant_id",
    "grant_key", "adds_up",
)  # fmt: skip
INSERT = f"""INSERT INTO feedback ({", ".join(_COLUMNS)}, created_at, modified_at)
SELECT {", ".join(f"CAST(:{name} AS {_TYPES.get(name, 'TEXT')})" for name in _COLUMNS)}, now_us(), now_us()
FROM feedback_epoch
WHERE number = :epoch AND (CAST(:expires AS BIGINT) IS NULL OR CAST(:expires AS BIGINT) > now_us())
ON CONFLICT DO NOTHING"""
"""Its casts tell PostgreSQL the types of the parameters in the SELECT."""


class Known(Struct):
    """A grant's place as it was read or minted, and the configuration for feedback through it, if that was read."""

    grant: Grant
    salt: int
    ring_key: int
    config: FeedbackConfig | None = None


class Read(Struct):
    """What one transaction read for a submission."""

    epoch: int
    grant: Grant
    config: FeedbackConfig
    """The configuration for feedback through the grant."""
    has_webhooks: bool


class SubmissionCache:
    """One process's cache of grants and configurations, all of them read at one epoch."""

    def __init__(self) -> None:
        self._epoch: int | None = None
        self._grants: OrderedDict[tuple[int | None, int | None], Known] = OrderedDict()
        self._configs: dict[tuple[str, str], FeedbackConfig] = {}
        self.has_webhooks = True

    @property
    def epoch(self) -> int | None:
        """Return the epoch that everything was read at."""
        return self._epoch

    def grant(self, pointer: Pointer) -> Known | None:
        """Return the pointer's cached grant, if there is one."""
        known = self._grants.get((pointer.grant, pointer.place))
        return known if known and (known.salt, known.ring_key) == (pointer.salt, pointer.ring_key) else None

    def config(self, known: Known) -> FeedbackConfig | None:
        """Return the cached configuration for feedback through the grant, if there is one."""
        if known.config is not None or known.grant.config is not None:
            return known.config
        return self._configs.get((known.grant.project, known.grant.key))

    def remember(self, pointer: Pointer, read: Read) -> None:
        """Cache what a transaction read."""
        if read.epoch != self._epoch:
            self._epoch = read.epoch
            self._grants.clear()
            self._configs.clear()
        self.has_webhooks = read.has_webhooks
        grant, own = read.grant, None
        if grant.config is not None:
            own = read.config
        elif len(self._configs) < REMEMBERED_CONFIGS:
            self._configs[grant.project, grant.key] = read.config
        self._remember_known(Known(grant, pointer.salt, pointer.ring_key, own))

    def remember_minted(self, minted: Minted) -> None:
        """Cache grants that this process has just minted."""
        if minted.epoch == self._epoch:
            for grant in minted.grants:
                self._remember_known(Known(grant, minted.salt, minted.ring_key))

    def _remember_known(self, known: Known) -> None:
        self._grants[known.grant.id, known.grant.place] = known
        if len(self._grants) > REMEMBERED_GRANTS:
            self._grants.popitem(last=False)


def read_for_plain(db: Connection, pointer: Pointer) -> Read:
    """Claim the pointer's grant, and read what its next submissions depend on, the epoch first. Errors: `TokenGone`."""
    row = db.one(EPOCH)
    grant = claim(db, pointer)
    config = find_config_of_url(scope_to_project(db, grant.project), grant.key, grant.config)
    return Read(row["number"] if row else 0, grant, config, has_webhooks(db))


def plain_row(
    grant: Grant,
    place: RunPlace | Grant,
    config: FeedbackConfig | None,
    submission: FeedbackSubmission,
    epoch: int | None,
) -> dict[str, Any] | None:
    """Return the parameters of `INSERT`; None if the submission is not plain.

    It is not if its configuration is not cached, or rejects it (a newer one may not), or is `first` for its subject.
    """
    subject = submission.user_id
    if epoch is None or config is None or (subject is not None and config.subject_policy == "first"):
        return None
    try:
        row = build_submission_columns(grant, config, submission)
    except FeedbackError:
        return None
    row["project"], row["adds_up"] = grant.project, int(subject is not None and config.subject_policy == "append")
    row["epoch"], row["expires"] = epoch, grant.expires
    return row | build_place_columns(place)


def insert_plain(db: Connection, row: dict[str, Any]) -> bool:
    """Store the submission; return False if it was not stored, since something has changed or conflicts with it."""
    return db.execute(INSERT, **row) == 1
