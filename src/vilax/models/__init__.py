"""The vision-language model in plain torch; it knows no configuration, data or training."""
