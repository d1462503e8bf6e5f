"""Where the audio comes from: the user's folder, the synthesised demo, or GTZAN."""
