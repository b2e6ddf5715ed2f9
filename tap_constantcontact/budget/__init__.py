"""The budget of a key: requests per second and per day, shared by several processes."""
