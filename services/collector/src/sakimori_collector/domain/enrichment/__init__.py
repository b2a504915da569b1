"""What is known of the addresses, hosts and agents in an event beside what its line says."""
