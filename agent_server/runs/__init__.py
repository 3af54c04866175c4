"""Runs, which are the queue: kept, claimed, carried out, and told of."""
