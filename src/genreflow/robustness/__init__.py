"""Whether models still know the song: test tracks are changed, described and judged once more."""
