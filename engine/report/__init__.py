"""The report: one self-contained page about one run, made of what a store holds.

`candles` keeps bars, `selection` says which are worth drawing, `material` reads a run, `chart`,
`account` and `sections` draw, `page` puts them together. There is one path: a run without a store
gets one for as long as the page is written, so a kept run gives the same page, byte for byte.
"""
