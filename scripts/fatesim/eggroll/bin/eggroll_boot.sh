#!/bin/bash
# STAND-IN for eggroll's starter of workers: starts the script it is given, in the foreground.
exec bash "$@"
