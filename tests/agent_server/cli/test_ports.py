"""Addresses that the server cannot listen on are explained; a busy default port is replaced by the next."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import click
import pytest

from agent_server.cli.ports import bind


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def test_taken_port_is_named_with_what_to_do(taken: int) -> None:
    with pytest.raises(click.ClickException, match=rf"Port {taken} on 127.0.0.1 is taken .*--port") as caught:
        bind("127.0.0.1", taken, may_move=False)
    assert "\n" not in caught.value.message


def test_next_free_port_is_taken_where_it_may(taken: int) -> None:
    sockets = bind("127.0.0.1", taken, may_move=True)
    assert taken < sockets[0].getsockname()[1] < taken + 50
    close(sockets)


def test_all_addresses_of_a_name_share_a_port() -> None:
    sockets = bind("localhost", 0, may_move=False)
    assert len({one.getsockname()[1] for one in sockets}) == 1
    close(sockets)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_address_of_another_machine_is_explained(host: str) -> None:
    with pytest.raises(click.ClickException, match=host):
        bind(host, 0, may_move=False)
