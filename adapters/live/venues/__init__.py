"""Venues as sessions see them: addresses, subscriptions, history. Codecs are in `adapters.codecs`."""
