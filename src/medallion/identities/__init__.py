"""Which records are about the same company or person: normal forms, match probabilities, and what people decided."""
