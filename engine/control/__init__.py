"""The control socket: one operator, one engine, on one machine.

`status` is what an engine says of itself, `protocol` what may be asked and answered, `target` the
port that an engine implements, `server` and `client` the two ends of the Unix socket.
"""
