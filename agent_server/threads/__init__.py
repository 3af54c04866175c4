"""Threads: conversations, and the states that they have been in."""
