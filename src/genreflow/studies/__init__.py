"""Side studies: cheap models trained again under other protocols, to show what these claim."""
