"""What the unembedding of a trained network holds, and how its outputs use it."""
