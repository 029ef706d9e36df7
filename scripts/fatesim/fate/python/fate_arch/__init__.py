"""STAND-IN for a package of FATE's."""
