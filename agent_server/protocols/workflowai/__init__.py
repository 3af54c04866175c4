"""WorkflowAI's run endpoint: its unmodified SDKs can run the agents of this server.

The feedback endpoints of the same API (`/v1/feedback`, the lists) belong to the feedback module.
"""

from agent_server.protocols.workflowai.errors import error_response
from agent_server.protocols.workflowai.routes import HANDLERS

__all__ = ["HANDLERS", "error_response"]
