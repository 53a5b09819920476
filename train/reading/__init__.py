"""Reading a network: its tensors by whatever names, its masks, its normal form and rounding."""
