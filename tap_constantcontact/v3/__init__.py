"""The vendor's API v3: OAuth, and the streams that it has."""
