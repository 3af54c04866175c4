"""Runs: the queue, its worker, attempts, webhooks and metrics."""

from agent_server.runs.queue import Runs

__all__ = ["Runs"]
