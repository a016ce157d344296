"""The monitor: a process without keys that shows one engine to many browsers.

`frames` is what the engine streams, `replica` the state that it adds up to, `views` what is shown of it,
`hub` the WebSocket clients, `shelf` the store, `server` the one port. Only `server` knows all of them.
"""
