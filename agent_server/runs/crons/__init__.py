"""Crons: runs that start on a schedule."""

from agent_server.runs.crons.crons import Crons

__all__ = ["Crons"]
