"""`alerts`: what the alert rules find now, and which of them fire."""

from __future__ import annotations

from typing import Any

import click

from feedback.cli.options import Do
from feedback.cli.output import JSON_OPTION, echo_json, percent, table
from feedback.plugin import FeedbackPlugin
from feedback.reports.alerts import Alert, Finding

HEAD = ("alert", "state", "since", "scores", "share", "difference", "from", "to")


@click.command()
@JSON_OPTION
@click.pass_obj
def alerts(do: Do, /, as_json: bool) -> None:
    """Show what the alert rules find now, and which fire. Only a running server changes and tells of that."""

    async def work(service: FeedbackPlugin) -> None:
        known = {alert.id: alert for alert in await service.alerts.listed()}
        found: dict[str, Finding] = {}
        for rule in service.alerts.rules:
            found |= await service.alerts.findings(rule) or {str(rule): Finding(key=rule.key, assistant_id=None)}
        rows = [_row(name, known.get(name), found.get(name)) for name in {**known, **found}]
        if as_json:
            echo_json(rows)
        else:
            table(HEAD, [_cells(row) for row in rows], "There are no alert rules.")

    do(work)


def _row(name: str, alert: Alert | None, found: Finding | None) -> dict[str, Any]:
    firing = alert is not None and alert.firing
    return {"id": name, "firing": firing, "changed_at": alert.changed_at if alert else None, "finding": found}


def _cells(row: dict[str, Any]) -> tuple[Any, ...]:
    found: Finding = row["finding"] or Finding(key="", assistant_id=None)
    return (
        row["id"],
        "fires" if row["firing"] else "quiet",
        (row["changed_at"] or "")[:19],
        found.scores,
        percent(found.share),
        percent(found.difference),
        percent(found.interval.low) if found.scores else "",
        percent(found.interval.high) if found.scores else "",
    )
