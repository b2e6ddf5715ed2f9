"""Authentication with OAuth: login, tokens and their store."""
