"""The URLs that a webhook may have: `webhooks.url` of `langgraph.json`, with the official server's names.

A webhook makes the server send a request to a client's URL, from inside the server's network. So by default it must be
https and lead to a public address. A host name is resolved only when the request is sent, so its address is checked
then, too.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, ip_address
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from agent_server.config.addresses import Address, classify_address
from agent_server.config.conversion import Count, Flag, Strings, Text, convert_setting, must
from agent_server.errors import Invalid


@dataclass(frozen=True)
class WebhookPolicy:
    """The rules, and the headers of every webhook."""

    require_https: Flag = True
    disable_loopback: Flag = True
    disable_private_ips: Flag = True
    allowed_domains: Strings = ()
    """Allowed hosts, `*.example.com` for all subdomains; empty for all. Their addresses are trusted."""
    allowed_ports: Annotated[tuple[int, ...], must("be a list of numbers")] = ()
    max_url_length: Count = 4096
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every webhook. `${{ env.NAME }}` in a value is replaced by the environment variable at the start."""
    disabled: bool = False
    """Whether to send no webhooks at all, though runs may name one (`http.disable_webhooks`)."""
    env_prefix: str = "LG_WEBHOOK_"
    """The required prefix of environment variables in `headers`."""

    def with_headers_from(self, environ: Mapping[str, str]) -> WebhookPolicy:
        """Return the policy with its header templates filled in. Errors: `ValueError`, which names the header."""
        return replace(
            self, headers={name: self._fill_variables(name, text, environ) for name, text in self.headers.items()}
        )

    def _fill_variables(self, header: str, text: str, environ: Mapping[str, str]) -> str:
        def value(template: re.Match[str]) -> str:
            kind, _, variable = template["name"].partition(".")
            if kind != "env" or not variable.isidentifier():
                right = f"${{{{ env.{self.env_prefix}TOKEN }}}}"
                raise ValueError(f"headers.{header} has {template[0]}; a template is like {right}")
            if not variable.startswith(self.env_prefix):
                raise ValueError(f"headers.{header} names {variable}, which does not begin with {self.env_prefix!r}")
            if variable not in environ:
                raise ValueError(f"headers.{header} names the environment variable {variable}, which is not set")
            return environ[variable]

        filled = _TEMPLATE.sub(value, text)
        if not _HEADER_VALUE.fullmatch(filled):
            raise ValueError(f"headers.{header} has a character that no header can have, such as a line break")
        return filled

    def check(self, url: str) -> None:
        """Refuse a disallowed URL, as far as that is possible without resolving its host. Errors: `Invalid`."""
        if len(url) > self.max_url_length:
            raise Invalid(f"Webhook URL too long: it has {len(url)} characters, and may have {self.max_url_length}")
        if is_own_path(url):
            if self.disable_loopback:
                raise Invalid(
                    "Webhook must be an absolute URL, such as https://example.com/hook; a path of this server's own is "
                    "allowed where webhooks.url.disable_loopback is false"
                )
            return
        parts, port = _split(url)
        if parts.scheme != "https" and (self.require_https or parts.scheme != "http"):
            raise Invalid(f"Webhook must use https; webhooks.url.require_https: false allows http (given: {url[:8]!r})")
        if self.allowed_ports and port not in self.allowed_ports:
            raise Invalid(f"Webhook port {port} not allowed")
        host = parts.hostname or ""
        if self.allowed_domains and not self._is_named(host):
            raise Invalid("Webhook domain not allowed")
        if address := _literal(host):
            self.check_address(host, address)
        elif self.disable_loopback and (host.endswith(_LOOPBACK_NAMES)) and not self._is_named(host):
            raise Invalid("Webhook host blocked: loopback IP range")

    def check_address(self, host: str, address: Address) -> None:
        """Refuse an address that a webhook's host resolves to. Errors: `Invalid`."""
        if not self._is_named(host) and (reason := self._explain_block(address)):
            raise Invalid(f"Webhook host blocked: {reason}")

    def _explain_block(self, address: Address) -> str | None:
        kind = classify_address(address)
        if kind == "loopback":
            return "loopback IP range" if self.disable_loopback else None
        if kind == "local":
            return "link-local, multicast or unspecified IP range"
        return "private IP range" if self.disable_private_ips and kind == "private" else None

    def _is_named(self, host: str) -> bool:
        return any(
            host.endswith(domain[1:].lower()) if domain.startswith("*.") else host == domain.lower()
            for domain in self.allowed_domains
        )


def is_own_path(url: str) -> bool:
    """Return whether the webhook goes to one of this server's own routes, such as one of `http.app`."""
    return url.startswith("/") and not url.startswith("//")


_URL_EXAMPLE = '{"require_https": false}'
_EXAMPLE = f'{{"url": {_URL_EXAMPLE}}}'
_TEMPLATE = re.compile(r"\$?\{\{\s*(?P<name>[^{}]*?)\s*\}\}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_LOOPBACK_NAMES = ("localhost", "localhost.", "host.docker.internal")


def webhook_policy(given: Any, where: str) -> WebhookPolicy:
    """Return the policy in `webhooks` of `langgraph.json`. Errors: `ConfigError`."""
    section = convert_setting(given, WebhooksSection, where, f"be an object like {_EXAMPLE}")
    return replace(section.url, headers=section.headers, env_prefix=section.env_prefix)


class WebhooksSection(Struct, frozen=True):
    """`webhooks` as the file has it: the rules of URLs are apart from the headers."""

    url: Annotated[WebhookPolicy, must(f"be an object like {_URL_EXAMPLE}")] = WebhookPolicy()
    headers: Annotated[dict[str, str], must("be an object of strings")] = {}
    env_prefix: Text = WebhookPolicy.env_prefix


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"Webhook is not a URL ({error}); send one such as https://example.com/hook") from None
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise Invalid("Webhook must be an absolute https URL with a host, such as https://example.com/hook")
    return parts, port or (443 if parts.scheme == "https" else 80)


def _literal(host: str) -> Address | None:
    """Return the address if the host is a literal one; `127.1` and `0x7f.1` are, too."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None
