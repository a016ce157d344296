"""One strategy, one feed, several engines: `make bench-peers` runs them by turns and compares.

`strategy` says once what is traded and yields the trades that follow from each engine's matching
rules; `feeds` makes the market; `run_*` are the engines, each a program of its own that runs in an
environment of its own; `compare` explains differences trade by trade; `__main__` runs and prints.
"""
