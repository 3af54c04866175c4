"""Decide whether a GET of a presigned URL is a submission, or only a look at the link by a person or a machine.

A GET with side effects is risky: mail gateways follow every link of a message, on delivery and on click; pages and
messages load it as an image; chats fetch pasted links; and most of these claim to be a browser, or send no user agent.
So by default a GET submits only if its client shows intent: a documented client (curl, langsmith), or one that asks for
JSON. All others get a page with a button. The user agents of machines are from their makers' documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from feedback.settings import LinkMode

MACHINES = (
    # mail gateways and virus scanners
    "barracuda", "bitdefender", "checkpoint", "ciscosecure", "cloudmark", "fireeye", "forcepoint", "fortiguard",
    "hornetsecurity", "iab-xml", "ironport", "kaspersky", "linkguard", "messagelabs", "mimecast", "paloalto",
    "perception point", "proofpoint", "safelinks", "sophos", "symantec", "trendmicro", "trend micro",
    "urldefense", "vade secure", "virustotal", "zscaler",
    # mail programs that fetch the links of a message, and office programs that fetch before the browser does
    "googleimageproxy", "google-safety", "microsoft office", "microsoft outlook", "ms-office", "ms office",
    "thunderbird", "yahoomailproxy",
    # chats and networks that unfold links
    "bitlybot", "cardyb", "discordbot", "embedly", "facebookcatalog", "facebookexternalhit", "facebot",
    "flipboard", "google-pagerenderer", "googlemessages", "iframely", "kakaotalk-scrap", "linespider", "linkedinbot",
    "mastodon", "mattermost-bot", "meta-externalagent", "meta-externalfetcher", "microsoftpreview", "notionbot",
    "opengraph", "pinterestbot", "pleroma", "redditbot", "rocket.chat", "skypeuripreview", "slack-imgproxy", "slackbot",
    "snap url preview", "synapse (bot", "teamsbot", "telegrambot", "tumblr/", "twitterbot", "viber", "vkshare",
    "whatsapp/", "xing-contenttabreceiver", "zoombot",
    # search engines and other collectors
    "adsbot", "ahrefsbot", "amazonbot", "apis-google", "applebot", "archive.org_bot", "baiduspider", "bingbot",
    "bingpreview", "bytespider", "ccbot", "chatgpt-user", "claudebot", "duckduckbot", "feedfetcher", "google-extended",
    "google-inspectiontool", "google-read-aloud", "googlebot", "googleother", "gptbot", "ia_archiver",
    "mediapartners-google", "oai-searchbot", "perplexitybot", "petalbot", "qwantify", "semrushbot", "slurp",
    "yandexbot",
    # headless browsers, and words that occur only in machines' user agents
    "chrome-lighthouse", "crawler", "headlesschrome", "link preview", "linkcheck", "page speed", "phantomjs",
    "spider/", "uptimerobot", "url preview", "urlscan", "w3c_validator",
)  # fmt: skip
"""Parts of the user agents of scanners and unfurlers, in lower case."""
CLIENTS = ("curl/", "langsmith-py", "langsmith-js")
"""Prefixes of the user agents of clients whose documentation shows a GET that submits feedback."""
_PROGRAMS_FETCH = (None, "cors", "same-origin")
"""The `Sec-Fetch-Mode` of scripts and programs; browsers send another for images, frames and clicks."""
_MACHINE = re.compile("|".join(re.escape(name) for name in MACHINES), re.IGNORECASE)
_QUALITY = re.compile(r"(?:^|;)\s*q\s*=\s*(\d(?:\.\d*)?)")
_AHEAD = ("sec-purpose", "purpose", "x-purpose", "x-moz")


def is_prefetch(headers: Mapping[str, str]) -> bool:
    """Return whether a browser prefetches this page, which the user may never open."""
    purposes = " ".join(headers.get(name, "") for name in _AHEAD).lower()
    return "prefetch" in purposes or "preview" in purposes or "prerender" in purposes


def is_machine(headers: Mapping[str, str]) -> bool:
    """Return whether the user agent is a known scanner's or unfurler's, or missing, as some scanners' is."""
    agent = headers.get("user-agent", "")
    return not agent.strip() or _MACHINE.search(agent) is not None


def wants_page(headers: Mapping[str, str]) -> bool:
    """Return whether the request prefers HTML to JSON, as a browser's navigation does, or an imitation of one."""
    quality = _qualities(headers.get("accept", ""))
    html = max(quality.get("text/html", 0.0), quality.get("application/xhtml+xml", 0.0))
    return html > 0 and html >= quality.get("application/json", 0.0)


def gets_page(headers: Mapping[str, str], has_content: bool = False) -> bool:
    """Return whether to respond with a page: to clients that want one, and to machines, which show it to people.

    Also to every client whose link has feedback that was not submitted, except programs that ask for JSON.
    """
    if wants_page(headers):
        return True
    is_program = accepts_json(headers) and not (has_content and _is_browser(headers))
    return (has_content or is_machine(headers)) and not is_program


def accepts_json(headers: Mapping[str, str]) -> bool:
    """Return whether the request names JSON among the types that it accepts; `*/*` does not."""
    return "application/json" in headers.get("accept", "").lower()


def may_submit(headers: Mapping[str, str], mode: LinkMode) -> bool:
    """Return whether a GET with these headers is a submission in this link mode."""
    if mode == "confirm" or is_prefetch(headers) or is_machine(headers):
        return False
    fetch = headers.get("sec-fetch-mode")
    if mode == "direct":  # users' clicks submit; images and frames of other pages do not
        is_click = fetch == "navigate" and headers.get("sec-fetch-dest", "document") == "document"
        return is_click or fetch in _PROGRAMS_FETCH
    if fetch not in _PROGRAMS_FETCH or _is_browser(headers):
        return False
    is_client = headers.get("user-agent", "").lower().startswith(CLIENTS)
    return not wants_page(headers) and (is_client or accepts_json(headers))


def _is_browser(headers: Mapping[str, str]) -> bool:
    """Return whether the client is a browser, or pretends to be one."""
    return "mozilla/" in headers.get("user-agent", "").lower()


def _qualities(accept: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, _, parameters = part.partition(";")
        found[kind.strip()] = _quality(parameters)
    return found


def _quality(parameters: str) -> float:
    match = _QUALITY.search(parameters)
    return float(match[1]) if match else 1.0
