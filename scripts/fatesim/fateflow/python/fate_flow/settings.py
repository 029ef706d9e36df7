"""service_conf.yaml, eggroll.properties and fate.env, read as FATE-Flow and eggroll's client read them."""

import configparser
import os

import yaml

# Modules of the trees that PYTHONPATH has to lead to; FATE-Flow cannot do without them.
import eggroll
import fate_arch

REQUIRED = [
    "party_id", "fateflow.host", "fateflow.http_port", "fateflow.grpc_port", "fateflow.proxy",
    "database.name", "database.user", "database.passwd", "database.host", "database.port",
    "default_engines.computing", "default_engines.federation", "default_engines.storage",
    "fate_on_eggroll.clustermanager.cores_per_node", "fate_on_eggroll.clustermanager.nodes",
    "fate_on_eggroll.rollsite.host", "fate_on_eggroll.rollsite.port",
]


class Settings:
    def __init__(self, service, eggroll_properties, env):
        self.service = service
        self.eggroll = eggroll_properties
        self.env = env
        self.version = env["FATEFlow"]
        self.fate_version = env["FATE"]

    def get(self, path, otherwise=None):
        value = self.service
        for key in path.split("."):
            if value is None or key not in value:
                return otherwise
            value = value[key]
        return otherwise if value is None else value

    @property
    def has_info(self):
        """Whether this release answers what it is, on /v1/info/common: FATE-Flow 1.9 does not."""
        return tuple(int(n) for n in self.version.split(".")[:2]) >= (1, 10)

    @property
    def waits_for_session(self):
        """Whether starting a job takes until eggroll has made a session for it, as seen with FATE-Flow 1.9 and eggroll 2.4."""
        return tuple(int(n) for n in self.env["EGGROLL"].split(".")[:2]) < (2, 5)

    @property
    def party(self):
        return str(self.get("party_id"))

    @property
    def rollsite(self):
        return f"{self.get('fate_on_eggroll.rollsite.host')}:{self.get('fate_on_eggroll.rollsite.port')}"

    @property
    def clustermanager(self):
        prefix = "eggroll.resourcemanager.clustermanager."
        return f"{self.eggroll[prefix + 'host']}:{self.eggroll[prefix + 'port']}"

    @property
    def cores(self):
        return self.get("fate_on_eggroll.clustermanager.cores_per_node") * self.get("fate_on_eggroll.clustermanager.nodes")


def load():
    base = os.environ["FATE_PROJECT_BASE"]
    env = _fate_env(os.path.join(base, "fate.env"))
    service = _service_conf(os.path.join(base, "conf"))
    settings = Settings(service, _eggroll_properties(), env)
    for path in REQUIRED:
        if settings.get(path) is None:
            raise ValueError(f"service_conf.yaml has no value for {path}")
    host = settings.get("fateflow.host")
    if host in ("127.0.0.1", "0.0.0.0", "localhost"):
        raise ValueError(f"fateflow.host {host} is not supported: it must be an address that others can reach")
    return settings


def _fate_env(path):
    with open(path, encoding="utf-8") as f:
        env = dict(line.strip().split("=", 1) for line in f if "=" in line)
    for key in ("FATE", "FATEFlow"):
        if key not in env:
            raise ValueError(f"{path} has no {key}")
    return env


def _service_conf(directory):
    with open(os.path.join(directory, "service_conf.yaml"), encoding="utf-8") as f:
        service = yaml.safe_load(f)
    local = os.path.join(directory, "local.service_conf.yaml")
    if os.path.exists(local):
        with open(local, encoding="utf-8") as f:
            service.update(yaml.safe_load(f))  # replaces whole top-level keys
    if not isinstance(service.get("fateflow", {}).get("nginx", {}), dict):
        raise ValueError("fateflow.nginx is not a mapping")
    return service


def _eggroll_properties():
    # With interpolation, as eggroll's client: a % in a value is an error.
    parser = configparser.ConfigParser()
    parser.optionxform = str
    path = os.path.join(os.environ["EGGROLL_HOME"], "conf", "eggroll.properties")
    with open(path, encoding="utf-8") as f:
        parser.read_file(f)
    return dict(parser.items("eggroll"))
