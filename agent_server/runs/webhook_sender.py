"""Send the webhooks of ended runs from the outbox, and retry until each is accepted.

The sender resolves the host's name, checks every address, and connects to a checked address, so a name that resolves
differently a moment later has no effect. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from typing import Any

import anyio
import httpx
import structlog

from agent_server.broker import Broker
from agent_server.config.webhooks import WebhookPolicy, is_own_path
from agent_server.database import Database
from agent_server.errors import AgentServerError, Invalid
from agent_server.observability.failures import FailureLog
from agent_server.observability.metrics import Metrics
from agent_server.runs.webhook_outbox import (
    LONGEST_WAIT_SECONDS,
    WEBHOOKS,
    Webhook,
    claim_webhook,
    drop_webhook,
    is_due,
    put_off_webhook,
)

log = structlog.get_logger("agent_server")

LOOK_SECONDS = 1.0
SEND_SECONDS = 30.0
"""How long a receiver may take, in seconds; less than the lease on the webhook."""
AT_ONCE = 16
MAX_ATTEMPTS = 12


Translate = Callable[[str, str], tuple[bytes, dict[str, str]] | None]
"""Returns a webhook's body and headers, by its URL and payload; None to send it unchanged."""


async def _made_client() -> httpx.AsyncClient:
    """Return a client; its TLS context takes 20 ms and 2 MB, so it is made beside the loop, for the first webhook."""
    return await anyio.to_thread.run_sync(partial(httpx.AsyncClient, trust_env=False))


class WebhookSender:
    """Sends webhooks from the outbox. The n-th retry comes `first_wait` * 2 ** (n - 1) seconds after the failure."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        policy: WebhookPolicy,
        first_wait: float = 2.0,
        metrics: Metrics | None = None,
        translate: Translate = lambda _url, _payload: None,
    ) -> None:
        """`translate` converts webhooks that a protocol requested into its format."""
        self._database = database
        self._broker = broker
        self._policy = policy
        self._first_wait = first_wait
        self._metrics = metrics or Metrics()
        self._taking = FailureLog("webhooks_unreachable")
        self._translate = translate
        self._serving: anyio.CancelScope | None = None
        self._app: Any = None

    async def serve(self, app: Any = None) -> None:
        """Send until `stop` is called; webhooks in flight then are sent again later.

        Webhooks whose URL is a path go to `app`, this server's own ASGI app, in process.
        """
        self._app = app
        slots = anyio.Semaphore(AT_ONCE)
        async with self._broker.listen(WEBHOOKS) as subscription, AsyncExitStack() as clients:
            client: httpx.AsyncClient | None = None
            with anyio.CancelScope() as self._serving:
                async with anyio.create_task_group() as sending:
                    while True:
                        await slots.acquire()
                        if webhook := await self._claim():
                            if client is None:
                                client = await clients.enter_async_context(await _made_client())
                            sending.start_soon(self._work_on, client, webhook, slots)
                        else:
                            slots.release()
                            await subscription.wait(LOOK_SECONDS)

    def stop(self) -> None:
        """Stop sending."""
        if self._serving is not None:
            self._serving.cancel()

    async def _claim(self) -> Webhook | None:
        try:
            is_one_due = await self._database.read(is_due)  # a read, unlike a write, blocks no other writer
            self._taking.record_success()
            return await self._database.write(claim_webhook) if is_one_due else None
        except AgentServerError as error:
            self._taking.record_failure(error)
        return None

    async def _work_on(self, client: httpx.AsyncClient, webhook: Webhook, slots: anyio.Semaphore) -> None:
        try:
            problem = await self._problem(client, webhook)
            if problem is None:
                self._metrics.count_webhook("taken")
                await self._database.write(lambda c: drop_webhook(c, webhook))
            else:
                await self._put_off(webhook, problem)
        except AgentServerError as error:  # the lease expires, and the webhook is sent again
            log.error("webhook_not_settled", run_id=webhook.run_id, error=str(error))
        finally:
            slots.release()

    async def _put_off(self, webhook: Webhook, problem: str) -> None:
        given_up = webhook.attempts >= MAX_ATTEMPTS
        self._metrics.count_webhook("given_up" if given_up else "refused")
        if given_up:
            log.error("webhook_given_up", run_id=webhook.run_id, attempts=webhook.attempts, problem=problem)
            await self._database.write(lambda c: drop_webhook(c, webhook))
            return
        wait = min(self._first_wait * 2 ** (webhook.attempts - 1), LONGEST_WAIT_SECONDS)
        log.warning("webhook_failed", run_id=webhook.run_id, attempt=webhook.attempts, problem=problem, again_in=wait)
        await self._database.write(lambda c: put_off_webhook(c, webhook, wait))

    async def _problem(self, client: httpx.AsyncClient, webhook: Webhook) -> str | None:
        """Send the webhook. Return why the receiver rejected it, or None where it accepted."""
        try:
            with anyio.fail_after(SEND_SECONDS):
                self._policy.check(webhook.url)  # the settings may have changed since the run was created
                response = await self._send_webhook(client, webhook)
        except (OSError, httpx.HTTPError, httpx.InvalidURL, Invalid, UnicodeError) as error:
            return str(error) if isinstance(error, Invalid) else type(error).__name__
        return None if response.is_success else f"status {response.status_code}"

    async def _send_webhook(self, client: httpx.AsyncClient, webhook: Webhook) -> httpx.Response:
        """Send the webhook. Return the response without its body, which is never read, whatever its length."""
        content, own_headers = self._translate(webhook.url, webhook.payload) or (_stamp_payload(webhook.payload), {})
        headers = {"Content-Type": "application/json", **own_headers, **self._policy.headers}
        if is_own_path(webhook.url):
            own = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=own, base_url="http://localhost") as in_process:
                return await in_process.post(webhook.url, content=content, headers=headers)
        url = httpx.URL(webhook.url)
        request = client.build_request(
            "POST",
            url.copy_with(host=await self._address(url)),
            content=content,
            headers={**headers, "Host": url.netloc.decode()},
            extensions={"sni_hostname": url.host},
        )
        response = await client.send(request, stream=True)
        await response.aclose()
        return response

    async def _address(self, url: httpx.URL) -> str:
        """Return an address of the host, after checking that the policy allows all of its addresses."""
        port = url.port or (443 if url.scheme == "https" else 80)
        found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses = [str(one[4][0]).partition("%")[0] for one in found]
        for address in addresses:
            self._policy.check_address(url.host, ip_address(address))
        return addresses[0]


def _stamp_payload(payload: str) -> bytes:
    """Return the payload with the current time as `webhook_sent_at`."""
    return f'{payload[:-1]},"webhook_sent_at":"{datetime.now(UTC).isoformat()}"}}'.encode()
