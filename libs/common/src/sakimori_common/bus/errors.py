"""How a handler says what shall become of a message, and how the bus says that it is away."""


class Retry(Exception):
    """This message failed for a reason that may pass. It is handled again after a back-off; each try counts against
    the delivery limit, beyond which it goes to the dead letters with this text as the reason."""


class Unavailable(Retry):
    """Something that every message needs (database, Valkey, the bus) is away. The consumer waits, holding what it has,
    and tries again for as long as it takes: no fault of the message, so nothing is counted."""


class Reject(Exception):
    """This message can never succeed. It goes to the dead letters with this text as the reason."""


class Halt(Exception):
    """This process is broken. Nothing more is taken, what is unsettled goes back to the queue, the service stops."""


class BusUnavailable(Exception):
    """The broker did not confirm in time. Whether it has the message is unknown: publish it again with the same id."""
