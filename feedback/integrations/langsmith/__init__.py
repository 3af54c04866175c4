"""What LangSmith's clients read and create beside feedback: runs, projects, datasets, annotation queues."""
