"""Which finding is told to whom, in what words, and when a failed notice is tried again."""
