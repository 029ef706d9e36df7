"""Registration in ZooKeeper, as FATE-Flow does it: once, at start, and never again when the session is lost."""

import json
import time
import urllib.parse

from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError
from kazoo.security import make_digest_acl

from fate_flow import log

ROOT = "/FATE-COMPONENTS/fate-flow"
CONNECT_SECONDS = 15
LEFT_OVER_SECONDS = 60  # for the node of a former process whose session has not expired yet


class Registry:
    def __init__(self, conf):
        self.conf = conf
        self.client = None
        self.own = {
            "instance_id": f"flow-{conf.get('fateflow.host')}-{conf.get('fateflow.http_port')}",
            "timestamp": int(time.time() * 1000), "version": conf.version, "host": conf.get("fateflow.host"),
            "grpc_port": conf.get("fateflow.grpc_port"), "http_port": conf.get("fateflow.http_port"),
        }

    def register(self):
        hosts = self.conf.get("zookeeper.hosts")
        if not isinstance(hosts, list) or not hosts:
            raise ValueError("use_registry is true, but zookeeper.hosts is not a list of addresses")
        options = {}
        if self.conf.get("zookeeper.use_acl"):
            user, password = self.conf.get("zookeeper.user"), str(self.conf.get("zookeeper.password"))
            options = {"auth_data": [("digest", f"{user}:{password}")], "default_acl": [make_digest_acl(user, password, all=True)]}
        self.client = KazooClient(hosts=",".join(hosts), **options)
        self.client.start(timeout=CONNECT_SECONDS)
        path = f"{ROOT}/{urllib.parse.quote(self.own['host'] + ':' + str(self.own['grpc_port']), safe='')}"
        until = time.monotonic() + LEFT_OVER_SECONDS
        while True:
            try:
                self.client.create(path, json.dumps(self.own).encode(), ephemeral=True, makepath=True)
                break
            except NodeExistsError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        log.stat.info("registered in zookeeper as %s", path)

    def instances(self):
        """All flows of the party by instance id; without a registry just this one."""
        if self.client is None:
            return {self.own["instance_id"]: self.own}
        found = {}
        for name in self.client.get_children(ROOT):
            instance = json.loads(self.client.get(f"{ROOT}/{name}")[0])
            found[instance["instance_id"]] = instance
        return found

    def close(self):
        if self.client is not None:
            self.client.stop()


def connect(conf):
    registry = Registry(conf)
    if conf.get("use_registry"):
        registry.register()
    return registry
