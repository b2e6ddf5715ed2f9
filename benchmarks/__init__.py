"""Measurements of the tap on the sandbox."""
