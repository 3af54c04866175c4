"""The command line of feedback: a group that a program adds to its own commands.

Tables are for people, `--json` for programs; progress goes to standard error. All commands work while servers run on
the same database.
"""

from feedback.cli.group import feedback_commands

__all__ = ["feedback_commands"]
