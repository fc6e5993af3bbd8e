"""Local learning rules and their stabilisers, one a file, as compiled functions over one layer."""
