"""From an object of the API to a row and a message."""
