"""The world as the API v2 shows it, with the limits and quirks of that API."""
