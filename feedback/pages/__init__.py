"""Pages behind presigned URLs, and snippets for mail and chat."""
