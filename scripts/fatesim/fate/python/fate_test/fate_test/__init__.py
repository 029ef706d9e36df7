"""STAND-IN for FATE's test client: only the place of its configuration."""
