"""The detector once more, slowly and in plain Python, written from the rules: the judge of the kernels.

Lists of bar objects, looked through afresh at each bar; no arrays, no compiled code, nothing from
`engine.wyckoff`. Functions carry the name and the section of their rule. Where the rules leave a
choice open, the docstring says which reading was taken ("Reading: ..."). Sums run in the order in
which the kernels add, so that both sides meet a gate with the same number.
"""
