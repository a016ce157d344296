"""Venues on this host that speak the real protocols, with switches for what goes wrong at real ones."""
