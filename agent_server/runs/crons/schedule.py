"""Compute the next date of a cron's schedule.

Schedules have the syntax of Debian's cron, parsed by CronSim (https://github.com/cuu508/cronsim), which a monitoring
service maintains for its own use: it has no dependencies, and when the clocks change a daily job runs exactly once. As
on the official server, a sixth field is the second, and the usual names (`@hourly`, `@daily`) stand for schedules.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim

from agent_server.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_NAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def next_date(schedule: str, timezone: str | None, after: int, end_time: int | None = None) -> int | None:
    """Return the schedule's first date later than `after`, or None where that is after `end_time`.

    Times are microseconds since 1970. Errors: `Invalid` for a malformed schedule, one without dates, or an unknown time
    zone.
    """
    begin = (_EPOCH + after * _MICROSECOND).astimezone(_zone(timezone))
    try:
        found = micros(next(CronSim(_fields(schedule), begin)))
    except Exception as error:  # CronSim's own and its parser's: all mean an invalid schedule
        raise Invalid(
            f"Invalid cron schedule: {schedule!r} ({error or 'it names no time'}). It has five fields, minute hour "
            "day-of-month month day-of-week, such as '*/5 * * * *' for every five minutes, or six, "
            "with the second last, such as '*/5 * * * * 30'"
        ) from None
    return None if end_time is not None and found > end_time else found


def micros(moment: datetime) -> int:
    """Return microseconds since 1970. A time without a zone is UTC. Errors: `Invalid` before 1970 or after 9999."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = (aware - _EPOCH) // _MICROSECOND
    if not 0 <= since <= (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND:
        raise Invalid(f"{moment.isoformat()} is out of range; a time lies between 1970 and 9999, in UTC")
    return since


def _fields(schedule: str) -> str:
    """Return the schedule in CronSim's form, which has the second first."""
    fields = _NAMES.get(schedule.strip().lower(), schedule).split()
    return " ".join([fields[5], *fields[:5]] if len(fields) == 6 else fields)


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown zone; not a name at all; the name of a folder of zones
        raise Invalid(f"Invalid timezone: {name!r}. Use an IANA time zone, such as 'America/New_York'") from None
