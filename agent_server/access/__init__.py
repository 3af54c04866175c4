"""Who may do what: API keys, and the rules of an application's own `Auth` object."""
