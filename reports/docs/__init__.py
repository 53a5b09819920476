"""The documentation site: its pages, and the generators of whatever depends on the code."""
