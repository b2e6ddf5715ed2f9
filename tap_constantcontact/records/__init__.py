"""Records: parsing, conforming to the schema, and writing."""
