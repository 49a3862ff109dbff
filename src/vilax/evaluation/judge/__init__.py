"""Scores of open answers by a language model: asked over HTTP, kept by content, never guessed."""
