"""From marked packets to messages: streams put in order, protocols told by content, decoders fed. All of it bounded."""
