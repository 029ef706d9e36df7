"""The toy job: guest and host each have 1000 numbers, and add them up without showing them to each other.

Each splits its numbers into two random shares, keeps one and pushes the other to its partner, adds what it has to what
it got, and the guest adds the host's sum to its own. The shares are drawn and summed by an egg_pair that the party's
eggroll starts for the session, and travel through the rollsites of both parties.
"""

import time

from fate_flow import federation, sessions

COMPONENT = "secure_add_example_0"


def parameters(conf, role):
    """Rows, partitions and seed for a role from the job's runtime configuration."""
    common = conf.get("component_parameters", {})
    values = dict(common.get("common", {}).get(COMPONENT, {}))
    of_role = common.get("role", {}).get(role, {})
    values.update(of_role.get("0", of_role).get(COMPONENT, {}))  # upstream's client leaves the level out for hosts
    return int(values.get("data_num", 1000)), int(values.get("partition", 1)), int(values.get("seed", 0))


def compute_long(conf, address, session, logger):
    """Has the worker compute for as many seconds as the job's parameter standin_seconds says, as a training does. The toy
    job is over before eggroll's watchers look at it for the first time."""
    seconds = int(conf.get("job_parameters", {}).get("common", {}).get("standin_seconds", 0))
    for second in range(seconds):
        federation.worker(address, {"do": "sum", "lists": [[second]]}, session)
        time.sleep(1)
    if seconds:
        logger.info("computed for %d s", seconds)


def run(job_id, role, party, conf, component):
    with component(COMPONENT) as logger:
        add(job_id, role, party, conf, logger)


def add(job_id, role, party, conf, logger):
    roles = conf["role"]
    other_role = "host" if role == "guest" else "guest"
    other = roles[other_role][0]
    rows, partitions, seed = parameters(conf, role)
    session = f"{job_id}_{COMPONENT}_0_{role}_{party}"
    logger.info("begin to init parameters of secure add example %s", role)
    processors = sessions.make(job_id, session)
    logger.info("session %s has processors %s", session, processors)
    # As in eggroll's client: a table is on the nodes that are HEALTHY when it is made, and the session has those that
    # were HEALTHY when it began. Between the two a node may have come or gone.
    eggs = {p["server_node_id"]: f"{p['host']}:{p['port']}" for p in processors}

    def table():
        places = federation.manager("v1/cluster-manager/metadata/getOrCreateStore", {"partitions": partitions})["partitions"]
        return [eggs[node] for node in places]

    try:
        address = table()[0]
        shares = federation.worker(address, {"do": "split", "seed": seed, "rows": rows, "partitions": partitions})
        logger.info("send a share of %d numbers in %d partitions to %s %s", rows, partitions, other_role, other)
        federation.push(other, f"{job_id}-{role}-share", shares["send"], job_id)
        received = federation.take(f"{job_id}-{other_role}-share", partitions)
        table()
        compute_long(conf, address, session, logger)
        own = federation.worker(address, {"do": "sum", "lists": shares["keep"] + received})["sum"]
        if role == "host":
            federation.push(other, f"{job_id}-host-sum", [own], job_id)
            logger.info("sent the sum of shares to guest %s", other)
            return
        logger.info("get secure sum of host %s", other)
        total = own + federation.take(f"{job_id}-host-sum", 1)[0]
        logger.info("secure_add_guest: success to calculate secure_sum, it is %r", total)
    finally:
        federation.manager("v1/cluster-manager/session/stopSession", {"id": session})
