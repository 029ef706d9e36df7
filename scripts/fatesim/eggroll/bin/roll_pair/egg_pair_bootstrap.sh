#!/bin/bash
# STAND-IN for eggroll's starter of python workers: runs egg_pair in the environment of eggroll.properties.
exec "$EGG_PAIR_VENV/bin/python" "$EGGROLL_HOME/$EGG_PAIR_FILE" "$@"
