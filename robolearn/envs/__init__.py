"""Tasks, and the two Gymnasium shells over them; import what you need from its own module."""
