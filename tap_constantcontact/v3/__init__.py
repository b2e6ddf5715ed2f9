"""The API v3: OAuth and streams."""
