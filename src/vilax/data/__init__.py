"""Documents, their on-disk formats, prompts, packing and the data engine."""
