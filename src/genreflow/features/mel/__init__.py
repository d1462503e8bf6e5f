"""Log-mel windows: `extract` computes frames, `read` cuts windows from the files."""
