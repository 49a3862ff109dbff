"""A gallery: prompts beyond scores, with the answers of several models side by side."""
