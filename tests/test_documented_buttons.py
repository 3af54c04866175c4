"""The documented attributes, properties and events of the buttons are the element's."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECTION = (ROOT / "feedback" / "README.md").read_text().split("## Buttons", 1)[1].split("\n## ", 1)[0]
ELEMENT = (ROOT / "feedback" / "web" / "feedback-buttons.js").read_text()
STYLE = (ROOT / "feedback" / "web" / "feedback-buttons-style.js").read_text()
TYPES = (ROOT / "feedback" / "web" / "feedback-buttons.d.ts").read_text()


def test_every_attribute_is_documented_and_typed() -> None:
    rows = [line.split("|")[1] for line in SECTION.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    typed = TYPES.split("interface FeedbackButtonsAttributes {", 1)[1].split("\n}", 1)[0]
    declared = set(re.findall(r'^  "?([a-z-]+)"?\?:', typed, re.MULTILINE))
    listed = ELEMENT.split("const ATTRIBUTES", 1)[1].split("};", 1)[0]
    observed = set(re.findall(r': "([a-z-]+)"', listed)) | {"disabled", "lang"}
    assert documented == declared == observed


def test_every_style_property_is_documented() -> None:
    assert set(re.findall(r"--feedback-[a-z-]+", SECTION)) == set(re.findall(r"--feedback-[a-z-]+", STYLE))


def test_every_event_is_documented_and_typed() -> None:
    sent = set(re.findall(r'#tell\("([a-z-]+)"', ELEMENT))
    assert sent == set(re.findall(r'^  "(feedback-[a-z]+)":', TYPES, re.MULTILINE)) - {"feedback-buttons"}
    assert all(f"`{name}`" in SECTION for name in sent)
