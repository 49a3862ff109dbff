"""The CPU-scale world: real pictures of several hundred concepts, and text about them."""
