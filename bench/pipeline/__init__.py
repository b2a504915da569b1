"""The whole way of an event on this machine: collector, RabbitMQ, detector, store."""
