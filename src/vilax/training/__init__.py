"""Training: stages of a recipe, each a freeze policy, a blend, a schedule and a budget."""
