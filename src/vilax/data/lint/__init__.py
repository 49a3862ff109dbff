"""Every sample of a corpus opened, and what is wrong with it named."""
