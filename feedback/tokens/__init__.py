"""Tokens: presigned (a grant row) and sealed (no row), and the signing keys that seal them."""

from feedback.tokens.presigned import Tokens

__all__ = ["Tokens"]
