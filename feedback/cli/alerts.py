"""`alerts`: the findings of the alert rules, and which of them fire."""

from __future__ import annotations

from typing import Any

import click

from feedback.cli.options import Do
from feedback.cli.output import JSON_OPTION, echo_json, number, percent, table
from feedback.plugin import FeedbackPlugin
from feedback.reports.alerts import Alert, Finding

HEAD = ("alert", "assistant", "state", "since", "scores", "figure", "difference", "from", "to", "note")


@click.command()
@JSON_OPTION
@click.pass_obj
def alerts(do: Do, /, as_json: bool) -> None:
    """Show what the alert rules find now, and which fire. Only a running server changes and reports that."""

    async def work(service: FeedbackPlugin) -> None:
        known = {alert.id: alert for alert in await service.alerts.list_alerts()}
        found: dict[str, Finding] = {}
        for one in await service.alerts.list_active():
            nothing = {str(one.rule): Finding(key=one.rule.key, assistant_id=None)}
            found |= await service.alerts.findings(one.rule, one.project) or nothing
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
    shown = number if found.share is None else percent
    has_figure = found.scores > 0 and found.reason is None
    return (
        row["id"],
        found.assistant_name,
        "fires" if row["firing"] else "quiet",
        (row["changed_at"] or "")[:19],
        found.scores,
        number(found.mean) if found.share is None else percent(found.share),
        shown(found.difference),
        shown(found.interval.low) if has_figure else "",
        shown(found.interval.high) if has_figure else "",
        found.reason,
    )
