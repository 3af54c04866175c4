"""ASGI parts around the routes: custom apps, the mount prefix, lifespans, server-sent events."""
