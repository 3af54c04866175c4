"""Check pages with axe-core, the accessibility checker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

AXE = Path(__file__).parents[1] / "clients" / "js" / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
AT_REST = """() => {
  const within = (root) => [...root.querySelectorAll("*")].filter((one) => one.shadowRoot);
  const trees = (root) => [root, ...within(root).flatMap((one) => trees(one.shadowRoot))];
  for (const motion of trees(document).flatMap((tree) => tree.getAnimations())) {
    if (motion.effect.getComputedTiming().endTime !== Infinity) motion.finish();
  }
}"""
"""Ends all animations, in shadow roots too, so that contrasts are measured at rest."""


def check_accessible(page: Page) -> None:
    """Assert that axe-core finds nothing serious or critical on the page as it is now, in shadow roots too.

    The page's context needs JavaScript; the content security policy does not matter. The result depends on what is
    shown: call it for every state, size and colour scheme (`visit(url, script=True, color_scheme="dark")`). From then
    on the page has reduced motion.
    """
    received = [_described(one) for one in violations(page)]
    assert not received, "\n".join(received)


def violations(page: Page) -> list[dict[str, Any]]:
    """Return the serious and critical violations on the page at rest."""
    expect(page.locator('[aria-busy="true"]')).to_have_count(0)  # parts that load are pale
    page.emulate_media(reduced_motion="reduce")  # prevents new animations; running ones continue
    page.evaluate(AT_REST)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run(document, { resultTypes: ['violations'] })).violations")
    return [one for one in found if one["impact"] in GRAVE]


def _described(violation: dict[str, Any]) -> str:
    nodes: list[dict[str, Any]] = violation["nodes"]
    where = "; ".join(f"{node['target']} {node['html']} ({node['failureSummary']})" for node in nodes)
    return f"{violation['id']}: {violation['help']}: {where}"
