"""Search for good values of a recipe's keys with Optuna: `space` says where, `study` how."""
