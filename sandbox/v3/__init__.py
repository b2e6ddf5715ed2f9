"""The world as the API v3 shows it, and the authorization server before it."""
