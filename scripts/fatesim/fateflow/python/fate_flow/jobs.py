"""Jobs: made by the initiator's flow, carried out by the flows of all parties, followed by the initiator."""

import contextlib
import datetime
import itertools
import json
import os
import re
import threading
import time
import traceback

import grpc

from fate_flow import database, federation, hetero, log, models, sessions, tables, toy

ENDED = database.ENDED
FOLLOW_SECONDS = 0.3
STOP_SECONDS = 12  # what the real one takes to end the tasks of all parties, and more; it answers afterwards
DETECT_SECONDS = 5

_conf = None
_counter = itertools.count()


class Refused(Exception):
    """A request that cannot be carried out, with FATE-Flow's retcode."""

    def __init__(self, retcode, message, job_id=None):
        super().__init__(message)
        self.retcode = retcode
        self.job_id = job_id


class Stopped(Exception):
    """A task was stopped from outside while it ran."""


def setup(conf, instances):
    global _conf
    _conf = conf
    threading.Thread(target=_detect, args=(instances,), daemon=True).start()


def submit(body):
    conf = body.get("job_runtime_conf") or {}
    for key in ("initiator", "role"):
        if key not in conf:
            raise Refused(101, f"job_runtime_conf has no {key}")
    work = describe(body.get("job_dsl") or {}, conf)
    if str(conf["initiator"]["party_id"]) != _conf.party:
        raise Refused(101, f"initiator party {conf['initiator']['party_id']} is not the local party {_conf.party}")
    job_id = new_id()
    participants = [(role, str(party)) for role, parties in conf["role"].items() for party in parties]
    created = {"initiator": conf["initiator"], "runtime_conf": {**conf, "standin_work": work}}
    response = {}
    for role, party in participants:
        response.setdefault(role, {})[int(party)] = _create(job_id, role, party, created)
    try:
        if any(answer["retcode"] for answers in response.values() for answer in answers.values()):
            raise Exception("create job failed", response)
    except Exception as e:
        # The real one leaves the job behind as failed, and answers with the traceback.
        log.scheduler(job_id).exception(e)
        for role, party in participants:
            if party == _conf.party:
                database.set_status(job_id, role, party, "failed")
        database.set_tag(job_id, "submit_failed")
        raise Refused(103, "".join(traceback.format_exception(e)), job_id) from e
    for role, party in participants:
        if party != _conf.party:
            for component, module in components(work, role):
                database.create_task(job_id, component, module, role, party, False)
    threading.Thread(target=_schedule, args=(job_id, participants), daemon=True).start()
    return job_id, models.model_id(conf["role"])


def _create(job_id, role, party, created):
    """What a party answers when a job is made there; the names are those of the real answer."""
    try:
        federation.call(party, f"/v1/party/{job_id}/{role}/{party}/create", created, job_id)
    except federation.PartyError as e:
        return {"retcode": 100, "retmsg": str(e)}
    except federation.FederatedError as e:
        return {"retcode": 104, "retmsg": f"Federated schedule error, {e}"}
    return {"data": {"components": {}}, "retcode": 0, "retmsg": "success"}


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
            saved = models.load(work["model_id"], work["model_version"], "guest", True)
        except models.Unknown as e:
            raise Refused(101, str(e)) from e
        work["module"], work["component"] = saved["module"], f"{hetero.MODULES[saved['module']]}_0"
    return work


def components(work, role):
    """Names and modules of the components that a role runs, in their order."""
    if work["kind"] == "toy":
        return [(toy.COMPONENT, "SecureAddExample")]
    if role == "arbiter":
        return [(work["component"], work["module"])] if work["module"] == "HeteroLR" else []
    chain = [("reader_0", "Reader"), ("data_transform_0", "DataTransform"), ("intersection_0", "Intersection"), (work["component"], work["module"])]
    if work["kind"] == "train" and role == "guest":
        chain.append(("evaluation_0", "Evaluation"))
    return chain


def upload(body):
    """Fills a table. It is a job, too, of this flow alone."""
    try:
        rows = tables.read_file(body)
        job_id = new_id()
        database.create_job(job_id, "local", "0", {"role": "local", "party_id": "0"}, json.dumps(body))
        database.create_task(job_id, "upload_0", "Upload", "local", "0", True)
        database.set_status(job_id, "local", "0", "running")
        database.set_task(job_id, "upload_0", "local", "0", "running", "", _conf.get("fateflow.host"), _conf.get("fateflow.http_port"))
        tables.write(body["namespace"], body["table_name"], rows, bool(body.get("drop")))
    except tables.Missing as e:
        raise Refused(100, str(e)) from e
    log.job(job_id, "local", "0").info("uploaded %d rows as %s.%s", len(rows) - 1, body["namespace"], body["table_name"])
    database.set_task(job_id, "upload_0", "local", "0", "success")
    database.set_status(job_id, "local", "0", "success")
    return job_id


def _schedule(job_id, participants):
    """Starts the job at all parties when they have the cores for it, and follows it until it has ended everywhere."""
    logger = log.scheduler(job_id)
    status = "failed"
    try:
        while not _resources(job_id, participants, logger):
            time.sleep(1)
            if _own_status(job_id, participants) in ENDED:
                return
        for role, party in participants:
            federation.call(party, f"/v1/party/{job_id}/{role}/{party}/start", {}, job_id)
        status = _follow(job_id, participants)
    except Exception:
        logger.exception("schedule job failed")
    for role, party in participants:
        try:
            federation.call(party, f"/v1/party/{job_id}/{role}/{party}/finish", {"status": status}, job_id)
        except federation.FederatedError as e:
            logger.error("cannot tell %s %s that the job is over: %s", role, party, e)
    # Also when the own rollsite is down.
    for role, party in participants:
        if party == _conf.party:
            database.set_status(job_id, role, party, status)
        database.end_tasks(job_id, role, party, status)


def _own_status(job_id, participants):
    role, party = next((r, p) for r, p in participants if p == _conf.party)
    return database.find_jobs(job_id=job_id, role=role, party_id=party)[0]["f_status"]


def _resources(job_id, participants, logger):
    """Takes the cores of all parties, or none."""
    taken = []
    for role, party in participants:
        answer = federation.call(party, f"/v1/party/{job_id}/{role}/{party}/apply", {}, job_id)["data"]
        if answer is None:
            logger.info("job apply resource failed on %s:%s, rollback %s", role, party, ",".join(f"{r}:{p}" for r, p in taken))
            for r, p in taken:
                federation.call(p, f"/v1/party/{job_id}/{r}/{p}/return", {}, job_id)
            return False
        taken.append((role, party))
    return True


def _follow(job_id, participants):
    while True:
        found = set()
        for role, party in participants:
            try:
                answer = federation.call(party, f"/v1/party/{job_id}/{role}/{party}/status", {}, job_id)["data"]
            except federation.FederatedError as e:
                if party != _conf.party or not never_answers(e.__cause__):
                    raise
                log.scheduler(job_id).error("collect tasks of %s %s failed: %s", role, party, e)
                found.add("running")  # no worker of this flow is free: the real one leaves the job as it is
                continue
            found.add(answer["status"])
            if party != _conf.party:  # the initiator keeps what the others report; their addresses are not reported
                for t in answer["tasks"]:
                    database.set_task(job_id, t["component"], role, party, t["status"], t["error"])
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
    answer = None
    if verb == "create":
        cores = _cores(body["runtime_conf"], role)
        if cores > _conf.cores:
            raise RuntimeError(
                f"max cores per job is {_conf.cores} base on (fate_flow/settings#MAX_CORES_PERCENT_PER_JOB * conf/service_conf.yaml#nodes"
                f" * conf/service_conf.yaml#cores_per_node), expect {cores} cores, please use task_cores job parameters to set request task cores")
        database.create_job(job_id, role, party, body["initiator"], json.dumps(body["runtime_conf"]))
        for component, module in components(body["runtime_conf"]["standin_work"], role):
            database.create_task(job_id, component, module, role, party, True)
        log.job(job_id, role, party).info("job created")
    elif verb == "apply":
        cores = _cores(_runtime_conf(job_id, role, party), role)
        answer = database.take_cores(job_id, role, party, cores, _conf.cores)
        outcome = "failed" if answer is None else "successfully"
        log.scheduler(job_id).info("apply job resource(cores %d memory 0) on %s %s %s", cores, role, party, outcome)
    elif verb == "return":
        database.return_cores(job_id, role, party)
    elif verb == "start":
        if database.set_status(job_id, role, party, "running"):
            database.set_runner(job_id, role, party, _conf.get("fateflow.host"), _conf.get("fateflow.http_port"))
            _start(job_id, role, party)
    elif verb == "status":
        answer = {
            "status": database.find_jobs(job_id=job_id, role=role, party_id=party)[0]["f_status"],
            "tasks": [{"component": t["f_component_name"], "status": t["f_party_status"], "error": t["f_error_report"]}
                      for t in database.find_tasks({"job_id": job_id, "role": role, "party_id": party})]}
    elif verb == "finish":
        # "done" is a party whose share of the work is done; what the job has come to is the initiator's to say.
        if body["status"] == "success":
            _record_model(job_id, role, party)
        database.set_status(job_id, role, party, body["status"])
        database.end_tasks(job_id, role, party, body["status"])
    else:
        raise ValueError(f"unknown command {verb}")
    return {"retcode": 0, "retmsg": "success", "data": answer}


def _record_model(job_id, role, party):
    """Notes the model of a job, as save_pipelined_model does."""
    conf = _runtime_conf(job_id, role, party)
    work = conf.pop("standin_work")
    if work["kind"] == "predict":
        return
    made = [(name, module) for name, module in components(work, role) if module in hetero.WITH_MODEL]
    models.record(job_id, role, party, conf, _conf.fate_version, made)


def _cores(conf, role):
    """The cores that a role takes; an arbiter takes none."""
    return 0 if role == "arbiter" else int(conf.get("job_parameters", {}).get("common", {}).get("task_cores", 4))


def _runtime_conf(job_id, role, party):
    return json.loads(database.find_jobs(job_id=job_id, role=role, party_id=party)[0]["f_runtime_conf"])


def _start(job_id, role, party):
    """Runs a job of this party. With eggroll 2.4 it returns when eggroll has made a session for it: a job for which it never
    does keeps the worker of FATE-Flow that started it, one for each job, whatever roles the party has. Later releases start
    a process for the task and do not wait for it."""
    made = sessions.begin(job_id) if _conf.waits_for_session else None
    threading.Thread(target=_run, args=(job_id, role, party), daemon=True).start()
    if made:
        made.wait()


def _run(job_id, role, party):
    logger = log.job(job_id, role, party)
    try:
        conf = _runtime_conf(job_id, role, party)
        work = conf.pop("standin_work")

        def component(name):
            return _component(job_id, role, party, name)
        if work["kind"] == "toy":
            toy.run(job_id, role, party, conf, component)
        else:
            hetero.run(job_id, role, party, conf, work, component)
        database.set_status(job_id, role, party, "done")
    except Stopped:
        pass
    except Exception:
        logger.exception("task of job %s failed", job_id)
        database.set_status(job_id, role, party, "failed")
    finally:
        sessions.done(job_id)


@contextlib.contextmanager
def _component(job_id, role, party, name):
    """Runs a component as a task: with a log of its own and, when it fails, with an error report."""
    logger = log.job(job_id, role, party, name)
    jobs = database.find_jobs(job_id=job_id, role=role, party_id=party)
    if jobs and jobs[0]["f_status"] in ENDED:
        raise Stopped(name)
    database.set_task(job_id, name, role, party, "running", "", _conf.get("fateflow.host"), _conf.get("fateflow.http_port"))
    try:
        yield logger
    except Exception as e:
        logger.exception(e)
        if never_answers(e):
            threading.Event().wait()  # the real one asks again, for ever
        database.set_task(job_id, name, role, party, "failed", error_report(e))
        raise
    database.set_task(job_id, name, role, party, "success")


def never_answers(error):
    """Whether eggroll has a fault over which the real FATE-Flow neither fails nor goes on."""
    cause = error.__cause__ if isinstance(error, federation.CommandCallError) else error
    return isinstance(cause, grpc.RpcError) and (
        cause.code() == grpc.StatusCode.DEADLINE_EXCEEDED or "NullPointerException" in (cause.details() or ""))


def error_report(error):
    """A traceback without the paths of python and without addresses, as the real one reports it."""
    text = "".join(traceback.format_exception(error))
    for path in filter(None, os.environ.get("PYTHONPATH", "").split(":")):
        text = text.replace(path, "xxx")
    return re.sub(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", "xxx.xxx.xxx.xxx", text).rstrip("\n")


def _detect(instances):
    """Fails the jobs whose tasks were run by a flow that is gone: this one before it was started again, or another that is
    not registered any more. Like the real one it leaves the rows of their tasks as they are."""
    begun = database.now()
    while True:
        try:
            own = (_conf.get("fateflow.host"), _conf.get("fateflow.http_port"))
            alive = {(i["host"], i["http_port"]) for i in (instances.instances() or {}).values()}
            for job in database.find_jobs(status="running"):
                at = (job["f_run_ip"], job["f_run_port"])
                if at == own and (job["f_start_time"] or 0) < begun or job["f_run_ip"] and at != own and at not in alive:
                    log.scheduler(job["f_job_id"], "detect").error("task executor process abort")
                    database.set_status(job["f_job_id"], job["f_role"], job["f_party_id"], "failed")
        except Exception:
            log.stat.exception("cannot look for jobs of flows that are gone")
        time.sleep(DETECT_SECONDS)


def stop(body):
    """Stops a job at every party; the caller waits until that is done."""
    found = database.find_jobs(job_id=body.get("job_id"))
    if not found:
        raise Refused(102, "can not found job")
    status = body.get("stop_status", "canceled")
    try:
        federation.manager("v1/cluster-manager/session/killSession", {"id": str(body["job_id"])})
    except federation.CommandCallError as e:
        if never_answers(e):
            raise Refused(100, f"cannot stop job {body['job_id']}: {e}") from e
        log.stat.error("cannot kill the sessions of job %s: %s", body["job_id"], e)
    time.sleep(STOP_SECONDS)
    for job in found:
        database.set_status(job["f_job_id"], job["f_role"], job["f_party_id"], status)
        database.end_tasks(job["f_job_id"], job["f_role"], job["f_party_id"], status)


def query(body):
    return [_public(job) for job in database.find_jobs(**body)]


def latest(body):
    """The newest jobs, with columns that have no f_."""
    rows = [j for j in database.find_jobs() if j["f_tag"] != "submit_failed"][:int(body.get("limit") or 0) or None]
    return {"jobs": [{k[2:]: v for k, v in _public(j).items()} | {"party_id": int(j["f_party_id"])} for j in rows], "count": len(rows)}


def _public(job):
    job.pop("f_runtime_conf", None)
    job["f_roles"] = json.loads(job["f_roles"] or "{}")
    if job["f_status"] == "done":
        job["f_status"] = "running"
    for flag in ("f_is_initiator", "f_resource_in_use"):
        job[flag] = bool(job[flag])
    return job
