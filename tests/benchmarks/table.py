"""The figures as a table: each measurement beside its lower bound of the same minutes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median

from msgspec import Struct

Samples = Mapping[str, Sequence[float]]


class Line(Struct):
    """One line of the table; `figure` and `floor` are names of samples, in the same unit."""

    label: str
    unit: str
    figure: str
    floor_label: str = ""
    floor: str = ""
    aim: str = ""


PLAIN, MEMORY, SQLITE = "astream, no checkpointer", "astream, InMemorySaver", "astream, AsyncSqliteSaver"
LINES = [
    Line("stateless run: first event, p50", "ms", "stateless first p50", PLAIN, "plain wall_ms", aim="< 10"),
    Line("stateless run: first event, p95", "ms", "stateless first p95"),
    Line("stateless run: whole stream, p50", "ms", "stateless end p50", PLAIN, "plain wall_ms"),
    Line("stateless run: server CPU", "ms", "stateless cpu", PLAIN, "plain cpu_ms", aim="<= 5"),
    Line("run on a new thread: first event, p50", "ms", "thread first p50", SQLITE, "sqlite wall_ms", aim="< 10"),
    Line("run on a new thread: first event, p95", "ms", "thread first p95"),
    Line("run on a new thread: whole stream, p50", "ms", "thread end p50", SQLITE, "sqlite wall_ms"),
    Line("run on a new thread: CPU, with POST /threads", "ms", "thread cpu", MEMORY, "memory cpu_ms", aim="<= 5"),
    Line("   the same", "ms", "thread cpu", SQLITE, "sqlite cpu_ms"),
    Line("POST /runs/wait: server CPU", "ms", "wait call cpu", PLAIN, "plain cpu_ms"),
    Line("MCP tools/call: server CPU", "ms", "mcp call cpu", "POST /runs/wait", "wait call cpu"),
    Line("A2A SendMessage: server CPU", "ms", "a2a call cpu", "POST /runs/wait", "wait call cpu"),
    Line("OpenAI's chat completion: server CPU", "ms", "openai call cpu", "POST /runs/wait", "wait call cpu"),
    Line("AG-UI run, streamed: server CPU", "ms", "agui call cpu", "POST /runs/wait", "wait call cpu"),
    Line("32 clients, stateless: runs a second", "/s", "stateless32 rate"),
    Line("32 clients, stateless: server CPU a run", "ms", "stateless32 cpu", PLAIN, "plain cpu_ms", aim="<= 5"),
    Line("32 clients, new threads: runs a second", "/s", "thread32 rate"),
    Line("32 clients, new threads: server CPU a run", "ms", "thread32 cpu", SQLITE, "sqlite cpu_ms", aim="<= 5"),
    # milliseconds for a stream of 1,000 tokens are microseconds for one token
    Line("stream of 1,000 tokens: CPU a token", "us", "token cpu", "astream, messages", "tokens cpu_ms", aim="<= 200"),
    Line("stream of 1,000 tokens: tokens a second", "/s", "token rate"),
    Line("2 URLs for a run, in process: CPU", "us", "mint cpu_us", "durable INSERT", "insert cpu_us"),
    Line("2 URLs for a run, in process: wall", "us", "mint wall_us", "durable INSERT", "insert wall_us"),
    Line("100 URLs a request, HTTP: server CPU a URL", "us", "batch cpu"),
    Line("100 URLs a request, HTTP: wall a URL", "us", "batch wall"),
]  # fmt: skip


def submission_lines(counts: Sequence[int]) -> list[Line]:
    """Return the lines of durable submissions, for each number of connections."""
    lines = []
    for count in counts:
        title, floor = f"durable submissions, {count} connections", "handler that does nothing"
        lines.append(Line(f"{title}: a second", "/s", f"submit {count} rate", floor, f"nothing {count} rate"))
        lines.append(Line(f"{title}: server CPU", "us", f"submit {count} cpu", floor, f"nothing {count} cpu"))
    return lines


async def in_rounds(sides: Sequence[Callable[[], Awaitable[dict[str, float]]]], count: int) -> Samples:
    """Return the figures of `count` rounds by name; unless there is only one, a round before them warms up."""
    samples: dict[str, list[float]] = defaultdict(list)
    for at in range(count + (count > 1)):
        for side in sides:
            for name, value in (await side()).items():
                if at or count == 1:
                    samples[name].append(value)
    return samples


def medians(samples: Samples) -> dict[str, float]:
    """Return the median of each figure."""
    return {name: median(values) for name, values in samples.items()}


def table(lines: Sequence[Line], samples: Samples) -> str:
    """Return the table: medians of the rounds, and the median of their ratios round by round."""
    return grid([("measured", "", "here", "floor", "", "ratio", "aim"), *(_cells(line, samples) for line in lines)])


def grid(rows: Sequence[Sequence[str]]) -> str:
    """Align the rows: numbers to the right, text to the left; the first row names the columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            text.rjust(width) if _isnumber(text) else text.ljust(width) for text, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def _isnumber(text: str) -> bool:
    return text.replace(",", "").replace(".", "").isdigit()


def _cells(line: Line, samples: Samples) -> tuple[str, ...]:
    here = samples[line.figure]
    if not line.floor:
        return (line.label, line.unit, number(median(here)), "", "", "", line.aim)
    floor = samples[line.floor]
    ratio = median(one / other for one, other in zip(here, floor, strict=True))
    shown = (number(median(here)), line.floor_label, number(median(floor)))
    return (line.label, line.unit, *shown, f"{ratio:.2f}", line.aim)


def number(value: float) -> str:
    """Return the value with about three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
