"""What a state holds: bookmarks, marks on long lists, whose account it is of."""
