"""Delivery of feedback events: the outbox, webhooks, OpenTelemetry."""
