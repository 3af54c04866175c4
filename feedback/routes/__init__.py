"""The dialects of the outside world: thin handlers, one file a dialect."""
