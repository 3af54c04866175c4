"""Event streaming, version 2: stream parts translated into protocol events."""
