"""What models see of a track: handcrafted descriptors and log-mel windows."""
