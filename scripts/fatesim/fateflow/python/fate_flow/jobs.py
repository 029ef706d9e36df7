"""Jobs: made by the initiator's flow, carried out by the flows of all parties, followed by the initiator."""

import datetime
import itertools
import json
import threading
import time

from fate_flow import database, federation, hetero, log, models, tables, toy

ENDED = ("success", "failed", "canceled", "timeout")
FOLLOW_SECONDS = 0.3

_conf = None
_counter = itertools.count()


class Refused(Exception):
    """A request that cannot be carried out, with FATE-Flow's retcode."""

    def __init__(self, retcode, message):
        super().__init__(message)
        self.retcode = retcode


def setup(conf):
    global _conf
    _conf = conf


def submit(body):
    conf = body.get("job_runtime_conf") or {}
    for key in ("initiator", "role"):
        if key not in conf:
            raise Refused(101, f"job_runtime_conf has no {key}")
    work = describe(body.get("job_dsl") or {}, conf)
    if str(conf["initiator"]["party_id"]) != _conf.party:
        raise Refused(101, f"initiator party {conf['initiator']['party_id']} is not the local party {_conf.party}")
    cores = int(conf.get("job_parameters", {}).get("common", {}).get("task_cores", 4))
    if cores > _conf.cores:
        raise Refused(100, f"max cores per job is {_conf.cores}, based on cores_per_node and nodes of fate_on_eggroll, expect {cores} cores")
    job_id = new_id()
    participants = [(role, str(party)) for role, parties in conf["role"].items() for party in parties]
    created = {"initiator": conf["initiator"], "runtime_conf": {**conf, "standin_work": work}}
    for role, party in participants:
        try:
            federation.call(party, f"/v1/party/{job_id}/{role}/{party}/create", created, job_id)
        except federation.FederatedError as e:
            raise Refused(104, f"create job {job_id} at {role} {party}: {e}") from e
    threading.Thread(target=_schedule, args=(job_id, participants), daemon=True).start()
    return job_id, models.model_id(conf["role"])


def new_id():
    return datetime.datetime.now().strftime("%Y%m%d%H%M%S%f") + str(next(_counter) % 10)


def describe(dsl, conf):
    """What the job wants, for the parties; refuses what this stand-in cannot do."""
    modules = [c.get("module") for c in (dsl.get("components") or {}).values()]
    if modules == ["SecureAddExample"]:
        return {"kind": "toy"}
    try:
        work = hetero.describe(dsl, conf)
    except (ValueError, KeyError) as e:
        raise Refused(101, f"job_dsl: {e}") from e
    if not work:
        raise Refused(101, "this STAND-IN for FATE-Flow runs the jobs of the toy test and of the minimal test only")
    if work["kind"] == "predict":
        try:
            models.load(work["model_id"], work["model_version"], "guest", True)
        except models.Unknown as e:
            raise Refused(101, str(e)) from e
    return work


def upload(body):
    """Fills a table. It is a job, too, of nobody but this flow."""
    try:
        rows = tables.read_file(body)
        job_id = new_id()
        database.create_job(job_id, "local", "0", {"role": "local", "party_id": "0"}, json.dumps(body))
        tables.write(body["namespace"], body["table_name"], rows, bool(body.get("drop")))
    except tables.Missing as e:
        raise Refused(100, str(e)) from e
    log.job(job_id, "local", "0").info("uploaded %d rows as %s.%s", len(rows) - 1, body["namespace"], body["table_name"])
    database.set_status(job_id, "local", "0", "success")
    return job_id


def _schedule(job_id, participants):
    """Starts the job at all parties and follows it until it has ended everywhere."""
    logger = log.job(job_id, "guest", _conf.party)
    status = "failed"
    try:
        for role, party in participants:
            federation.call(party, f"/v1/party/{job_id}/{role}/{party}/start", {}, job_id)
        status = _follow(job_id, participants)
    except Exception:
        logger.exception("job %s cannot be scheduled", job_id)
    for role, party in participants:
        try:
            federation.call(party, f"/v1/party/{job_id}/{role}/{party}/finish", {"status": status}, job_id)
        except federation.FederatedError as e:
            logger.error("cannot tell %s %s that the job is over: %s", role, party, e)
    # Also when the own rollsite is down.
    for role, party in participants:
        if party == _conf.party:
            database.set_status(job_id, role, party, status)


def _follow(job_id, participants):
    while True:
        found = set()
        for role, party in participants:
            found.add(federation.call(party, f"/v1/party/{job_id}/{role}/{party}/status", {}, job_id)["data"])
        for bad in ("failed", "canceled", "timeout"):
            if bad in found:
                return bad
        if found == {"done"}:
            return "success"
        time.sleep(FOLLOW_SECONDS)


@federation.command("/v1/party/")
def party_command(path, body):
    _, _, _, job_id, role, party, verb = path.split("/")
    if party != _conf.party:
        raise ValueError(f"party {party} is not here: this is party {_conf.party}")
    if verb == "create":
        database.create_job(job_id, role, party, body["initiator"], json.dumps(body["runtime_conf"]))
        log.job(job_id, role, party).info("job created")
    elif verb == "start":
        if database.set_status(job_id, role, party, "running"):
            database.set_runner(job_id, role, party, _conf.get("fateflow.host"), _conf.get("fateflow.http_port"))
            threading.Thread(target=_run, args=(job_id, role, party), daemon=True).start()
    elif verb == "status":
        return {"retcode": 0, "retmsg": "success", "data": database.find_jobs(job_id=job_id, role=role, party_id=party)[0]["f_status"]}
    elif verb == "finish":
        # "done" is a party whose share of the work is done; what the job has come to is the initiator's to say.
        database.set_status(job_id, role, party, body["status"])
    else:
        raise ValueError(f"unknown command {verb}")
    return {"retcode": 0, "retmsg": "success"}


def _run(job_id, role, party):
    logger = log.job(job_id, role, party)
    try:
        conf = json.loads(database.find_jobs(job_id=job_id, role=role, party_id=party)[0]["f_runtime_conf"])
        work = conf.pop("standin_work")
        if work["kind"] == "toy":
            toy.run(job_id, role, party, conf, logger)
        else:
            hetero.run(job_id, role, conf, work, logger)
        database.set_status(job_id, role, party, "done")
    except Exception:
        logger.exception("task of job %s failed", job_id)
        database.set_status(job_id, role, party, "failed")


def run_by_another(job_id):
    """The address of the party's flow that has the job's logs, if that is not this one."""
    run = [j for j in database.find_jobs(job_id=job_id) if j["f_run_ip"]]
    run.sort(key=lambda j: j["f_role"] != j["f_initiator_role"])
    if run and run[0]["f_run_ip"] != _conf.get("fateflow.host"):
        return f"{run[0]['f_run_ip']}:{run[0]['f_run_port']}"
    return None


def stop(body):
    found = database.find_jobs(job_id=body.get("job_id"))
    if not found:
        raise Refused(101, f"cannot find job {body.get('job_id')}")
    for job in found:
        database.set_status(job["f_job_id"], job["f_role"], job["f_party_id"], "canceled")


def query(body):
    jobs = database.find_jobs(job_id=body.get("job_id"), role=body.get("role"), party_id=body.get("party_id"), status=body.get("status"))
    for job in jobs:
        del job["f_runtime_conf"]
        if job["f_status"] == "done":
            job["f_status"] = "running"
    return jobs
