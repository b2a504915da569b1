"""The open chat that defends itself.

Responsible for the public room: anonymous identities, posting and reading, its own limits and bans, refusing whom the
detector or an operator decided against, and telling the bus about all of it. Not responsible for judging behaviour
over time (the detector adds up risk and publishes decisions) nor for telling people (the notifier).
"""
