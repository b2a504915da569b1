"""Tells people about findings: which channel hears of what, when it is quiet, and that nothing is dropped unseen.

Not responsible for: what is a finding (detector), who answers it (api-gateway).
"""
