"""The Constant Contact v2 API as a tap sees it, with no Singer in it."""
