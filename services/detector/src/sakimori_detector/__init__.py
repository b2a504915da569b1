"""The detector: events in, explained findings and decisions out.

It loads the rules (Sigma, Sigma correlations, analytics), evaluates every event, keeps windows in Valkey so that
replicas share them, writes findings and decisions and publishes them. It does not parse logs, tell people or enforce
anything; triage belongs to the gateway.
"""
