"""A benchmark for methods that look for structure: its organisms, baselines, table and files."""
