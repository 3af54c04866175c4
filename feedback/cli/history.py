"""`history`: the current and earlier versions of one feedback."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from feedback.cli.options import PROJECT_OPTION, Do, find_services
from feedback.cli.output import JSON_OPTION, echo_json, table
from feedback.plugin import FeedbackPlugin
from feedback.records.history import FeedbackHistory, FeedbackVersion
from feedback.schema import Feedback

HEAD = ("from", "until", "what came of it", "score", "value", "who", "comment", "correction")


@click.command()
@click.argument("feedback_id")
@PROJECT_OPTION
@JSON_OPTION
@click.pass_obj
def history(do: Do, /, feedback_id: str, project: str, as_json: bool) -> None:
    """Show the current and all earlier versions of a feedback, newest first."""

    async def work(service: FeedbackPlugin) -> None:
        histories = (await find_services(service, project)).histories
        found = await histories.page(feedback_id)
        while found.next_cursor is not None:
            more = await histories.page(feedback_id, cursor=found.next_cursor)
            found = FeedbackHistory(more.current, found.versions + more.versions, more.next_cursor)
        if as_json:
            echo_json({"current": found.current, "versions": found.versions})
        else:
            now = [] if found.current is None else [_cells(found.current, "", "stands")]
            table(HEAD, [*now, *(_cells(one, one.replaced_at[:19], one.reason) for one in found.versions)])

    do(work)


def _cells(piece: Feedback | FeedbackVersion, until: str, what: str) -> tuple[Any, ...]:
    correction = piece.correction
    return (
        piece.modified_at[:19],
        until,
        what,
        piece.score,
        piece.value,
        piece.feedback_source.user_id or piece.feedback_source.type,
        piece.comment,
        correction if isinstance(correction, str) or correction is None else msgspec.json.encode(correction).decode(),
    )
