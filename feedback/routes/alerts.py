"""Routes that list (with current findings), create and delete alert rules."""

from __future__ import annotations

from litestar import delete, get, post
from litestar.di import Provide
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from feedback.reports.alert_rules import AlertRule
from feedback.reports.alerts import ActiveRule, Alert, Alerts, Finding
from feedback.reports.stored_rules import AlertRuleCreate
from feedback.routes.app_router import AppRouter
from feedback.routes.authentication import CHECKS_QUERY, ServicesDependency
from feedback.routes.decoding import FeedbackRequest
from feedback.routes.error_responses import FAILURES
from feedback.routes.openapi import FeedbackOperation, failures
from feedback.validation import MAX_BODY

TAGS = ["Alerts"]
READS = {"feedback_scope": "feedback-read"}
WRITES = {"feedback_scope": "feedback-write"}


class AlertState(Struct):
    """A rule's current finding for one assistant, and whether it fires; `changed_at` is the last change of that."""

    id: str
    firing: bool
    changed_at: str | None
    finding: Finding


class AlertRuleState(Struct):
    """An alert rule as text and as fields, and its findings. A configured rule has no id."""

    id: str | None
    rule: str
    definition: AlertRule
    alerts: list[AlertState]


def alerts_router(dependencies: dict[str, Provide], alerts: Alerts) -> AppRouter:
    """Return the routes of a project's alert rules."""

    @get("/feedback/alert-rules", tags=TAGS, summary="List alert rules", operation_class=FeedbackOperation, opt=READS)
    async def list_rules(services: ServicesDependency) -> list[AlertRuleState]:
        """Return the rules that apply to the project, with their current findings."""
        active = [one for one in await alerts.list_active() if one.project in (None, services.project)]
        known = [alert for alert in await alerts.list_alerts() if alert.finding.project == services.project]
        return [await _state(alerts, one, services.project, known) for one in active]

    @post(
        "/feedback/alert-rules",
        status_code=200,
        tags=TAGS,
        request_max_body_size=MAX_BODY,
        summary="Create an alert rule",
        operation_class=FeedbackOperation,
        responses=failures(409, 413, 422),
        opt=WRITES,
    )
    async def create_rule(data: JSONBody[AlertRuleCreate], services: ServicesDependency) -> AlertRuleState:
        """Create the rule and return it; it takes effect within a minute."""
        made = await services.alert_rules.create(data)
        return await _state(alerts, ActiveRule(made.rule, made.project, made.id), services.project, [])

    @delete(
        "/feedback/alert-rules/{rule_id:str}",
        status_code=204,
        tags=TAGS,
        summary="Delete an alert rule",
        operation_class=FeedbackOperation,
        responses=failures(404, 422),
        opt=WRITES,
    )
    async def delete_rule(rule_id: FromPath[str], services: ServicesDependency) -> None:
        """Delete the rule and end its alerts."""
        await alerts.retire(await services.alert_rules.delete(rule_id), services.project)

    return AppRouter(
        "/api/v1",
        route_handlers=[list_rules, create_rule, delete_rule],
        dependencies=dependencies,
        exception_handlers=FAILURES,
        request_class=FeedbackRequest,
        opt={CHECKS_QUERY: True},
    )


async def _state(alerts: Alerts, active: ActiveRule, project: str, known: list[Alert]) -> AlertRuleState:
    """Return the rule with its findings in the project."""
    fired = {alert.id: alert for alert in known if alert.rule == str(active.rule)}
    found = await alerts.findings(active.rule, project)
    states = [
        AlertState(name, name in fired and fired[name].firing, fired[name].changed_at if name in fired else None, one)
        for name, one in found.items()
    ]
    gone = [
        AlertState(name, True, alert.changed_at, alert.finding)
        for name, alert in fired.items()
        if alert.firing and name not in found
    ]
    return AlertRuleState(active.id, str(active.rule), active.rule, states + gone)
