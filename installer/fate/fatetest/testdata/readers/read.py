"""Prints a file as JSON, as FATE's and eggroll's python code would read it: read.py properties|yaml|json FILE"""
import configparser
import json
import sys

kind, name = sys.argv[1:]
if kind == "properties":
    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read(name)
    value = dict(parser.items("eggroll"))
elif kind == "yaml":
    import yaml

    with open(name, encoding="utf-8") as f:
        value = yaml.safe_load(f)
else:
    with open(name, encoding="utf-8") as f:
        value = json.load(f)
json.dump(value, sys.stdout)
