"""The sales agent: who to call, why, with what words; and no invented numbers."""
