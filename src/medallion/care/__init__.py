"""What is done with a lakehouse that the pipeline has written: state, checks, corrections, erasure, ways back."""
