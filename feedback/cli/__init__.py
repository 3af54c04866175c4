"""The command line of feedback: a group that a program mounts among its own commands.

Tables are for people, `--json` for programs; how long work gets on is told on the error output. All of it works
while servers run on the same database.
"""

from feedback.cli.group import feedback_commands

__all__ = ["feedback_commands"]
