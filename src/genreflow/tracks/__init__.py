"""The tracks of a corpus: what there is, what repeats, and who trains and who tests."""
