"""What the tap costs and what it withstands, measured against the sandbox."""
