"""Certificates: statements about every input of one network, each proved from its weights.

Each is about one arithmetic. "real" is about the weights in exact arithmetic, which no computer
runs: a network whose logits share a large offset may be certified there and tie or fail in float32.
"float32" and "bfloat16" hold for every forward pass in that format or a wider one. `checker` proves
all of it anew; everything else here only proposes.
"""
