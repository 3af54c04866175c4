"""The accessibility check measures a page at rest, at any time."""

from __future__ import annotations

import pytest

from tests.browser.axe import check_accessible
from tests.browser.conftest import Visit

PAGE = """(shadow) => {
  document.documentElement.lang = "en";
  document.title = "A page";
  document.body.innerHTML = "<main><h1>A page</h1><div></div></main>";
  const div = document.querySelector("div");
  const root = shadow ? div.attachShadow({ mode: "open" }) : div;
  root.innerHTML = `<style>
    p { background: white; color: black }
    .pale { color: #eee }
    @media (prefers-reduced-motion: no-preference) { p { transition: color 60s } }
  </style><p>Words</p>`;
}"""
TURN = """(to) => {
  const div = document.querySelector("div");
  const p = (div.shadowRoot ?? div).querySelector("p");
  getComputedStyle(p).color;
  p.className = to;
  return getComputedStyle(p).color;
}"""


@pytest.mark.parametrize("shadow", [False, True])
def test_contrast_is_that_at_rest(visit: Visit, shadow: bool) -> None:
    with visit("about:blank", script=True) as page:
        page.evaluate(PAGE, shadow)
        check_accessible(page)
        page.emulate_media(reduced_motion="no-preference")
        page.evaluate(TURN, "pale")
        with pytest.raises(AssertionError, match="contrast"):
            check_accessible(page)
        page.emulate_media(reduced_motion="no-preference")
        page.evaluate(TURN, "")
        check_accessible(page)
