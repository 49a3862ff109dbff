"""What a recipe will take, said without a GPU, without weights and without a network."""
