"""The toy network in PyTorch: task, training, checkpoints, analysis and certificates."""

from importlib.util import find_spec

from theory.domain import DomainError


def check_installed() -> None:
    """Raise DomainError, saying what to install, where PyTorch or safetensors is missing."""
    missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
    if missing:
        names = " and ".join(missing)
        raise DomainError(f'{names} must be installed: pip install -e ".[train]"')
