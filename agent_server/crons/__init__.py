"""Crons: runs that a clock starts."""
