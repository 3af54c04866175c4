"""Sealed tokens: only an unaltered token opens, and only as its own family."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_server.database import open_database
from feedback import FeedbackPlugin
from feedback.errors import TokenUnknown
from feedback.tokens.keyring import Key, KeyRing
from feedback.tokens.sealed import SealedTokens
from tests.feedback.conftest import RUN

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
HOUR = timedelta(hours=1)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).filter(str.strip)


class Ring(KeyRing):
    """A keyring of two keys that reads no database."""

    def __init__(self) -> None:
        super().__init__(open_database("sqlite:///unused.db"))
        self._keys = tuple(Key(number, bytes([number] * 32), b"") for number in (2, 1))
        self.reread_seconds = 1e12


RING = Ring()
FAMILIES = {name: SealedTokens(RING, name) for name in ("workflowai", "evalguard")}
FAMILY = st.sampled_from(sorted(FAMILIES))
PROJECT = st.sampled_from(["default", "shop"])


def opens(family: str, token: str) -> Any:
    try:
        return asyncio.run(FAMILIES[family].open(token)).body
    except TokenUnknown:
        return None


def opens_as_url(token: str) -> bool:
    try:
        asyncio.run(RING.open(token))
    except TokenUnknown:
        return False
    return True


@given(FAMILY, PROJECT, NAMES, NAMES, st.sampled_from([1, 2]))
def test_token_opens_in_its_own_family_only(family: str, project: str, run: str, key: str, number: int) -> None:
    body = FAMILIES[family].draft(project, run, key, HOUR)
    token = FAMILIES[family].seal(body, number)
    assert {name: opens(name, token) for name in FAMILIES} == {
        name: body if name == family else None for name in FAMILIES
    }
    assert not opens_as_url(token)


@given(FAMILY, st.data())
def test_token_with_a_flipped_bit_opens_nowhere(family: str, data: st.DataObject) -> None:
    token = FAMILIES[family].seal(FAMILIES[family].draft("default", RUN, "k", HOUR))
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    flipped = base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()
    assert [opens(name, flipped) for name in FAMILIES] == [None, None]


@given(FAMILY, st.data(), st.sampled_from(ALPHABET + "+/=. é\0"))
def test_token_with_a_changed_character_opens_nowhere(family: str, data: st.DataObject, new: str) -> None:
    token = FAMILIES[family].seal(FAMILIES[family].draft("default", RUN, "k", HOUR))
    at = data.draw(st.integers(0, len(token) - 1))
    changed = token[:at] + new + token[at + 1 :]
    assert [opens(name, changed) for name in FAMILIES] == [None, None] or changed == token


@given(FAMILY, st.data(), st.text(max_size=4))
def test_truncated_or_extended_token_opens_nowhere(family: str, data: st.DataObject, more: str) -> None:
    token = FAMILIES[family].seal(FAMILIES[family].draft("default", RUN, "k", HOUR))
    cut = token[: data.draw(st.integers(0, len(token) - 1))]
    assert opens(family, cut) is None
    assert opens(family, token + more) is None or not more
    assert opens(family, more + token) is None or not more


@given(FAMILY, FAMILY, st.integers(1, 120))
def test_parts_of_two_tokens_make_no_third(one: str, other: str, cut: int) -> None:
    first = FAMILIES[one].seal(FAMILIES[one].draft("default", RUN, "k", HOUR))
    second = FAMILIES[other].seal(FAMILIES[other].draft("default", RUN, "other", HOUR))
    spliced = first[:cut] + second[cut:]
    assert spliced in (first, second) or [opens(name, spliced) for name in FAMILIES] == [None, None]


@given(st.one_of(st.text(), st.text(ALPHABET, max_size=300), st.binary(max_size=200)))
def test_made_up_token_opens_nowhere(made_up: str | bytes) -> None:
    token = made_up if isinstance(made_up, str) else base64.urlsafe_b64encode(b"\x01" + made_up).rstrip(b"=").decode()
    assert [opens(name, token) for name in FAMILIES] == [None, None]
    assert not opens_as_url(token)


@given(FAMILY)
def test_token_of_another_ring_opens_nowhere(family: str) -> None:
    stranger = Ring()
    stranger._keys = (Key(2, bytes(32), b""), Key(1, bytes([1] * 32), b"another secret"))
    tokens = SealedTokens(stranger, family)  # type: ignore[arg-type]
    for number in (1, 2):
        assert opens(family, tokens.seal(tokens.draft("default", RUN, "k", HOUR), number)) is None


async def test_sealed_tokens_and_presigned_urls_are_distinct(service: FeedbackPlugin) -> None:
    url = (await service.urls_for_run(RUN, ["k"], "http://here"))["k"]
    for family in ("workflowai", "evalguard"):
        with pytest.raises(TokenUnknown):
            await SealedTokens(service.ring, family).open(url.rpartition("/")[2])  # type: ignore[arg-type]
    with pytest.raises(TokenUnknown):
        await service.default.tokens.open(service.token_for_run(RUN))


async def test_rotation_keeps_sealed_tokens(service: FeedbackPlugin) -> None:
    old = service.token_for_run(RUN)
    await service.ring.rotate()
    for token in (old, service.token_for_run(RUN)):
        assert (await SealedTokens(service.ring, "workflowai").open(token)).body.run_id == RUN
