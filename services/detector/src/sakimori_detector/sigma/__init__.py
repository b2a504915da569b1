"""A streaming evaluator of Sigma rules: it needs pySigma, google-re2 and msgspec, and nothing else of Sakimori.

`events` says what an event must look like, `documents` reads rule files, `compiling` makes conditions of rules,
`matcher` finds the conditions that an event meets, `correlations` and `windows` count over time.
"""
