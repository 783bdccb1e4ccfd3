"""Live sessions: sound as it arrives, frames on the clock of its samples, to any receiver."""
