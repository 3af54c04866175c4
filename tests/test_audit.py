"""The audit of dependencies fails for known vulnerabilities and reports what it could not audit."""

from __future__ import annotations

from tests.audit import report

SOUND = {"name": "sound", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found on PyPI"}


def test_audit_names_vulnerable_and_unaudited_packages() -> None:
    assert report([SOUND]) == ("1 of 1 pinned packages audited.", 0)
    text, status = report([SOUND, BAD])
    assert ("bad 1.0: PYSEC-1, fixed in 1.1" in text, status) == (True, 1)
    text, status = report([SOUND, UNKNOWN])
    assert ("NOT AUDITED: 1 packages (unknown" in text, status) == (True, 0)
    assert "NOT AUDITED" in report([])[0]
