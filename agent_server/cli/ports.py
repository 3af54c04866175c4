"""Bind the address that a server listens on, or explain a failure in one line."""

from __future__ import annotations

import errno
import socket

import click

DEFAULT_PORT = 2024
TRIES = 50


def bind(host: str, port: int, may_move: bool) -> list[socket.socket]:
    """Return sockets bound to every address of the host, all on one port.

    If the port is in use and `may_move` is set, the next free one is used, within `TRIES`.
    Errors: `click.ClickException`.
    """
    for candidate in range(port, port + TRIES if may_move and port else port + 1):
        try:
            return _bind_port(host, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise click.ClickException(_explain_failure(host, candidate, error)) from None
    if may_move:
        raise click.ClickException(f"Ports {port} to {port + TRIES - 1} are all taken; name a free one with --port")
    raise click.ClickException(
        f"Port {port} on {host} is taken by another program: stop that, or name another port with --port "
        "(--port 0 takes any free one)"
    )


def _bind_port(host: str, port: int) -> list[socket.socket]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((one[0], one[4]) for one in found):
            listener = socket.socket(family)
            bound.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if len(found) > 1 else 0)
            listener.bind((address[0], port, *address[2:]))
            port = listener.getsockname()[1]  # with port 0, the other addresses get the same port
            listener.set_inheritable(True)
    except OSError:
        for one in bound:
            one.close()
        raise
    return bound


def _explain_failure(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"--host {host} is not an address of this machine, nor a name of one ({error.strerror})"
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this program has: name one above 1023 with --port"
    return f"Cannot listen on {host} port {port}: {error.strerror}"
