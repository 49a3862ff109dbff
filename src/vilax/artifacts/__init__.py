"""What runs leave behind: the stage store, manifests, checkpoints, run records."""
