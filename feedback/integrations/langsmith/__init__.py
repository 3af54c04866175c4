"""LangSmith's runs, projects, datasets and annotation queues."""
