"""Is a network a Bloom filter? Its masks, its mechanism, its behaviour, and what they predict."""
