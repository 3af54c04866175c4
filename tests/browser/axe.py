"""What axe-core, the accessibility checker, finds wrong with a page."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parents[1] / "clients" / "js" / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")


def check_accessible(page: Page) -> None:
    """Assert that axe-core finds nothing serious or critical on the page as it is shown now, in shadow roots too.

    It needs a context with JavaScript, whatever the page's content security policy is. What it finds depends on what is
    shown: call it for every state, size and colour scheme (`visit(url, script=True, color_scheme="dark")`).
    """
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run(document, { resultTypes: ['violations'] })).violations")
    assert [_told(one) for one in found if one["impact"] in GRAVE] == []


def _told(violation: dict[str, object]) -> str:
    nodes: list[dict[str, object]] = violation["nodes"]  # type: ignore[assignment]
    where = "; ".join(f"{node['target']} {node['html']} ({node['failureSummary']})" for node in nodes)
    return f"{violation['id']}: {violation['help']}: {where}"
