"""`projects`: teams or products that share a server, each with its own feedback."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from msgspec import structs

from feedback.cli.options import Do
from feedback.cli.output import JSON_OPTION, echo_json, make_printable, print_done, table
from feedback.plugin import FeedbackPlugin
from feedback.projects.schema import Project, ProjectCreate, ProjectPagesPatch, ProjectPatch
from feedback.settings.pages import read_logo

HEAD = ("name", "id", "made", "rate", "origins", "product")
ORIGINS = click.option(
    "--origin",
    "origins",
    multiple=True,
    help="A web origin whose pages may submit feedback (https://shop.example); may be given several times.",
)
RATE = click.option("--rate", help="Submissions and mintings in so many seconds, such as 300/60; off sets no limit.")

PAGES = (
    click.option("--product", help="The product's name at the top of the pages behind links; empty for none."),
    click.option("--color", help="Its colour, such as #0a7d5a; empty for none."),
    click.option("--logo", help="The path of its logo (PNG, JPEG, WebP or SVG, at most 100 KB); empty for none."),
    click.option("--quote/--no-quote", default=None, help="Whether these pages quote the agent's reply."),
)


def page_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give the command the options of a project's pages."""
    for option in reversed(PAGES):
        command = option(command)
    return command


@click.group()
def projects() -> None:
    """Projects: teams or products that share a server, each with its own feedback."""


@projects.command("create")
@click.argument("name")
@ORIGINS
@RATE
@page_options
@JSON_OPTION
@click.pass_obj
def create_project(do: Do, /, name: str, origins: Sequence[str], rate: str | None, as_json: bool, **pages: Any) -> None:
    """Create the project NAME. `agent-server keys create --project NAME` makes an API key for it."""
    wanted = ProjectCreate(name, list(origins), rate, _pages(pages))

    async def work(service: FeedbackPlugin) -> None:
        _show([await service.projects.create(wanted)], as_json)

    do(work)


@projects.command("list")
@JSON_OPTION
@click.pass_obj
def list_projects(do: Do, /, as_json: bool) -> None:
    """List the projects, oldest first."""

    async def work(service: FeedbackPlugin) -> None:
        _show(await service.projects.list_projects(), as_json)

    do(work)


@projects.command("update")
@click.argument("name")
@ORIGINS
@click.option("--any-origin", is_flag=True, help="Pages of every origin may submit feedback.")
@RATE
@page_options
@click.option(
    "--server-pages", is_flag=True, help="The pages look as the server's settings say, except for what is given."
)
@JSON_OPTION
@click.pass_obj
def update_project(
    do: Do,
    /,
    name: str,
    origins: Sequence[str],
    any_origin: bool,
    rate: str | None,
    server_pages: bool,
    as_json: bool,
    **pages: Any,
) -> None:
    """Change the project NAME; running servers apply it within seconds. Omitted options stay as they are."""
    if origins and any_origin:
        raise click.UsageError("Say either --origin or --any-origin")
    patch = ProjectPatch(pages=_pages(pages, ProjectPagesPatch(None, None, None, None) if server_pages else None))
    if origins or any_origin:
        patch.origins = list(origins)
    if rate is not None:
        patch.rate = rate

    async def work(service: FeedbackPlugin) -> None:
        _show([await service.projects.update(name, patch)], as_json)

    do(work)


@projects.command("delete")
@click.argument("name")
@click.option("--erase", is_flag=True, help="With all its feedback and URLs.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete_project(do: Do, /, name: str, erase: bool, yes: bool) -> None:
    """Delete the project NAME, which must be empty unless its feedback is erased with it."""
    if not yes:
        what = "with all its feedback, for good" if erase else "with its configurations"
        click.confirm(f"Remove the project {make_printable(name)}, {what}?", abort=True, err=True)

    async def work(service: FeedbackPlugin) -> None:
        await service.projects.delete(name, service.get_services(name).erasure if erase else None)
        print_done(f"The project {make_printable(name)} is removed")

    do(work)


def _pages(options: Mapping[str, Any], patch: ProjectPagesPatch | None = None) -> ProjectPagesPatch:
    """Return the given options as changes of a project's pages."""
    given = {name: value for name, value in options.items() if value is not None}
    if given.get("logo"):
        try:
            given["logo"] = read_logo(given["logo"])
        except ValueError as error:
            raise click.UsageError(f"--logo is {error}") from None
    return structs.replace(patch or ProjectPagesPatch(), **given)


def _show(found: Sequence[Project], as_json: bool) -> None:
    if as_json:
        return echo_json(found)
    return table(
        HEAD,
        [
            (one.name, one.id, one.created_at[:19], one.rate or "off", " ".join(one.origins) or "any", _product(one))
            for one in found
        ],
    )


def _product(project: Project) -> str:
    """Return the product of the project's pages; `-` for the server's."""
    return "-" if project.pages.product is None else make_printable(project.pages.product)
