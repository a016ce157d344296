"""Venue protocols: one module a venue, pure, bytes in and rows out; recordings and live feeds share them."""
