"""Campaigns: from detections to intents, legs, stops and exits.

A campaign is one range on one timeframe and what we try with it: up to three legs (spring, SOS,
LPS), each a bracket of one entry, one stop and three targets. The lifecycle is a table
(`lifecycle`), the budget a few sums (`allocation`), and `manager` is the stage that joins them.
"""
