"""After a signing key is retired, no process accepts a submission with a token that it sealed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent_server.__main__ import main
from agent_server.database import open_database
from feedback import FeedbackPlugin
from feedback.errors import Conflict, NotFound, TokenGone, TokenRevoked
from feedback.integrations.workflowai import OutcomeCreate
from feedback.tokens.sealed import SealedTokens
from tests.agent_server.backend import until
from tests.feedback.conftest import RUN
from tests.feedback.tokens.test_presigned import mint_one


@pytest.fixture
async def other(database_url: str, service: FeedbackPlugin) -> AsyncIterator[FeedbackPlugin]:  # noqa: ARG001  it opens first
    """Open the service as another process does, on the same database."""
    async with FeedbackPlugin(open_database(database_url)).open() as other:
        yield other


async def test_retired_keys_tokens_are_refused_in_every_process(service: FeedbackPlugin, other: FeedbackPlugin) -> None:
    url, token = await mint_one(service, RUN), service.token_for_run(RUN)
    await other.ring.rotate()
    newer = await mint_one(service, RUN)
    await other.ring.retire(1)
    for one in (service, other):
        with pytest.raises(TokenRevoked):
            await one.default.tokens.redeem(url)
        with pytest.raises(TokenRevoked):
            await one.default.workflowai_feedback.submit(OutcomeCreate(token, "positive"))
        assert (await one.default.tokens.redeem(newer)).run_id == RUN
    listed = await service.default.tokens.list_issued(RUN, 10, 0)
    assert [(one.token, one.revoked) for one in listed] == [(url, True), (newer, False)]


async def test_leaked_key_cannot_forge_other_keys_urls(service: FeedbackPlugin) -> None:
    await service.ring.rotate()
    genuine = await service.default.tokens.open(await mint_one(service, RUN))
    forged = service.ring.key(1).seal(genuine.grant << 24 | genuine.salt << 8 | genuine.place)
    with pytest.raises(TokenGone):
        await service.default.tokens.redeem(forged)


async def test_token_forged_with_a_retired_key_is_refused(service: FeedbackPlugin) -> None:
    await service.ring.rotate()
    await service.ring.retire(1)
    sealed = SealedTokens(
        service.ring, "workflowai"
    )  # what an attacker has who read the signing key's row and this program
    forged = sealed.seal(sealed.draft("default", RUN, "outcome", timedelta(hours=1)), 1)
    with pytest.raises(TokenRevoked):
        await service.default.workflowai_feedback.submit(OutcomeCreate(forged, "positive"))


async def test_key_that_seals_new_urls_is_not_retired(service: FeedbackPlugin) -> None:
    with pytest.raises(Conflict, match="keys rotate"):
        await service.ring.retire(1)
    with pytest.raises(NotFound, match="no key 7"):
        await service.ring.retire(7)
    assert (await service.default.tokens.redeem(await mint_one(service, RUN))).run_id == RUN


async def test_process_that_only_seals_follows_a_rotation_elsewhere(
    service: FeedbackPlugin, other: FeedbackPlugin
) -> None:
    service.ring.reread_seconds = 0.02
    reader = asyncio.create_task(service.ring.keep_reading())
    await other.ring.rotate()
    await until(lambda: service.ring.newest == 2)
    reader.cancel()
    with suppress(asyncio.CancelledError):
        await reader


def test_key_is_retired_on_the_command_line(tmp_path: Path) -> None:
    async def make() -> None:
        async with FeedbackPlugin(open_database(f"sqlite:///{tmp_path / 'feedback.db'}")).open() as service:
            await mint_one(service, RUN)
            await service.ring.rotate()

    asyncio.run(make())

    def keys(*arguments: str, **more: str) -> str:
        done = CliRunner().invoke(main, ["feedback", "--data-dir", str(tmp_path), "keys", *arguments], **more)
        return done.output

    assert "Aborted" in keys("retire", "1", input="n\n")
    assert "accept no more submissions" in keys("retire", "1", "--yes")
    listed = json.loads(keys("list", "--json"))
    assert [(one["number"], one["retired_at"] is not None, one["living_grants"]) for one in listed] == [
        (2, False, 0),
        (1, True, 0),
    ]
    assert "retired" in keys("list")
    assert "make another first" in keys("retire", "2", "--yes")
