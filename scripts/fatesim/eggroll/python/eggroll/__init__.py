"""STAND-IN for eggroll's python client."""
