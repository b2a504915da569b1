"""The packet sensor's fast path once more, in plain Python: what the compiled one is held against.

Written to be read, one packet at a time, with dictionaries and without bounds on memory. It knows the documents
(layout.py, the RFCs), not the compiled code.
"""
