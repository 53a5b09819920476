"""What `python -m theory` offers: rates, widths, capacities, rivals and derivations."""
