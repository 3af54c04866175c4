"""Configurations of feedback keys: scale, categories, direction, policies."""
