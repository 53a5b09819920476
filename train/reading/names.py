"""Names of files that training leaves and reading looks for."""

NETWORK = "network.safetensors"
