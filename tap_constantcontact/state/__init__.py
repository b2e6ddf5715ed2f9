"""State: bookmarks, watermarks on long lists, and the check of the account."""
