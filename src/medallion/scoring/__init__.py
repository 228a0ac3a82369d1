"""Scores: the explainable rule score and the probability to convert."""
