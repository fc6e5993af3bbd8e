"""Search for good values of a recipe's keys with Optuna: `space` says where, `study` how."""

# The file of the study, by which the folder of a tuning is known.
JOURNAL = "journal.log"
