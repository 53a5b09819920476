"""Proofs about a network's weights that hold for every input and in floating point."""
