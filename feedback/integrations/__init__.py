"""Tokens and submissions of other services' clients: WorkflowAI and EvalGuard."""
