"""The collector on one core: lines to events, events over HTTP, memory, and its peers on the same lines."""
