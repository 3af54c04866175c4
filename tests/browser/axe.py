"""What axe-core, the accessibility checker, finds wrong with a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[1] / "clients" / "js" / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
SETTLED = """async () => {
  const ends = (one) => one.effect.getComputedTiming().endTime !== Infinity;
  await Promise.allSettled(document.getAnimations().filter(ends).map((one) => one.finished));
}"""
"""Waits until colours that are on their way have come: half-way there, their contrast is nobody's."""


def check_accessible(page: Page) -> None:
    """Assert that axe-core finds nothing serious or critical on the page as it is shown now, in shadow roots too.

    It needs a context with JavaScript, whatever the page's content security policy is. What it finds depends on what is
    shown: call it for every state, size and colour scheme (`visit(url, script=True, color_scheme="dark")`).
    """
    page.evaluate(SETTLED)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run(document, { resultTypes: ['violations'] })).violations")
    told = [_told(one) for one in found if one["impact"] in GRAVE]
    assert not told, "\n".join(told)


def _told(violation: dict[str, Any]) -> str:
    nodes: list[dict[str, Any]] = violation["nodes"]
    where = "; ".join(f"{node['target']} {node['html']} ({node['failureSummary']})" for node in nodes)
    return f"{violation['id']}: {violation['help']}: {where}"
