"""Token stores: a file or a database."""
