"""The size of a thread's checkpoints in bytes."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import asdict


class Amount(Struct):
    """A number of rows, and their bytes."""

    count: int
    bytes: int


class ChannelBytes(Struct):
    """The number of stored versions of a channel's value, and their bytes."""

    versions: int
    bytes: int


class ThreadBytes(Struct):
    """The size of one thread in bytes."""

    checkpoints: Amount
    """Without the values of the channels."""
    channels: dict[str, ChannelBytes]
    pending_writes: Amount

    def sections(self) -> dict[str, Any]:
        """Return the sections of the official server's `ThreadStorage`, without the thread's id."""
        channels = self.channels.values()
        values = Amount(sum(one.versions for one in channels), sum(one.bytes for one in channels))
        return {
            "total_bytes": self.checkpoints.bytes + values.bytes + self.pending_writes.bytes,
            "checkpoints": asdict(self.checkpoints),
            "channel_values": {
                **asdict(values),
                "by_channel": {name: asdict(channel) for name, channel in self.channels.items()},
            },
            "pending_writes": asdict(self.pending_writes),
        }
