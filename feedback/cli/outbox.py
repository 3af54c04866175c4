"""`outbox`: undelivered messages to webhooks and collectors."""

from __future__ import annotations

import click

from feedback.cli.options import Do
from feedback.cli.output import JSON_OPTION, echo_json, print_done, table
from feedback.plugin import FeedbackPlugin

HEAD = ("created", "type", "to", "attempts", "next", "given up", "error")


@click.command()
@click.option("--retry", is_flag=True, help="Send those that were given up again; a running server does it.")
@JSON_OPTION
@click.pass_obj
def outbox(do: Do, /, retry: bool, as_json: bool) -> None:
    """List the messages that wait for delivery, or were given up; those are kept for thirty days."""

    async def work(service: FeedbackPlugin) -> None:
        if retry:
            print_done(f"{await service.webhooks.revive():,} messages will be sent again")
        found = await service.webhooks.list_undelivered()
        if as_json:
            echo_json(found)
        else:
            table(HEAD, [
                (one.created_at[:19], one.type, one.to, one.attempts, (one.next_at or "")[:19],
                 (one.given_up_at or "")[:19], one.error) for one in found
            ], "Every message is delivered.")  # fmt: skip

    do(work)
