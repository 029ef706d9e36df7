"""STAND-IN for FATE-Flow: see fate_flow_server.py."""
