"""Live sessions of bots, whatever carries them: who may open one, what is done in it, when it ends."""
