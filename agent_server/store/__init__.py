"""The key-value store that graphs and clients share."""
