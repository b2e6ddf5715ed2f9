"""What a person sees of a run: progress, summary, and logs that tell no secrets."""
