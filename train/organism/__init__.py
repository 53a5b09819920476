"""Model organisms: networks whose hidden truth is known, and how much of it is recovered."""
