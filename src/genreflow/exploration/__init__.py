"""What the report shows of a corpus and its features, computed once as small tables."""
