"""Output for people: progress, summary, and logs without secrets."""
