"""Brains, one family a file; `registry.make_agent` builds one by the name of its kind."""
