"""Singer tap for Constant Contact."""
