"""A session on live feeds: the same line as replay, with a wall clock outside it.

Only this package and the adapters below it read a clock. What they read becomes data: row times, heartbeats,
feed states, measurements. So the tape of a session, replayed, decides the same.
"""
