"""What a run ends with: models trained on all tracks, each in a folder that predicts alone."""
