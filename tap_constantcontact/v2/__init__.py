"""The vendor's API v2: key and token, and the streams that it has."""
