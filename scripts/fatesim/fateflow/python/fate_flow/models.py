"""Trained models and the metrics of their evaluation, each party's share at its own FATE-Flow.

As with the real one the content of a model is in files of the flow that ran the job, and in the model store where that is
on. What there is, is in the database: a row of t_machine_learning_model_info for each job that succeeded (the toy job's,
too, but no upload's and no prediction's) and for each deployed version, and a row of t_pipeline_component_meta for each
component that has a model, one of them the pipeline.
"""

import json
import os

from fate_flow import database, federation

CACHE = os.path.join(os.path.dirname(__file__), "..", "..", "model_local_cache")
PIPELINE = ("pipeline", "Pipeline")

STORE = """CREATE TABLE IF NOT EXISTS standin_model_store (
  f_model_id VARCHAR(100) NOT NULL, f_model_version VARCHAR(50) NOT NULL, f_role VARCHAR(10) NOT NULL,
  f_content LONGTEXT NOT NULL, PRIMARY KEY (f_model_id, f_model_version, f_role))"""
METRIC = """CREATE TABLE IF NOT EXISTS standin_metric (
  f_job_id VARCHAR(25) NOT NULL, f_role VARCHAR(10) NOT NULL, f_component VARCHAR(50) NOT NULL, f_content LONGTEXT NOT NULL,
  PRIMARY KEY (f_job_id, f_role, f_component))"""


class Unknown(Exception):
    """A model that is not there, or not deployed."""


def model_id(roles):
    return "#".join(f"{role}-{'_'.join(map(str, roles[role]))}" for role in sorted(roles)) + "#model"


def participants(identity):
    """The roles and parties that a model's id names."""
    for part in identity.split("#")[:-1]:
        role, _, parties = part.partition("-")
        for party in parties.split("_"):
            yield role, party


def _file(identity, version, role):
    party = next(p for r, p in participants(identity) if r == role)
    return os.path.join(CACHE, "#".join((role, party, identity)), version, "variables", "data", "model.json")


def save(identity, version, role, deployed, content):
    """Writes a role's share of a model."""
    text = json.dumps({"deployed": deployed, "content": content})
    _write(_file(identity, version, role), text)
    if database.has_model_store():
        with database.model_lock(role, identity, version), database.cursor() as c:
            c.execute(STORE)
            c.execute("REPLACE INTO standin_model_store VALUES (%s, %s, %s, %s)", (identity, version, role, text))


def _write(file, text):
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file + ".part", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(file + ".part", file)


def load(identity, version, role, deployed):
    """Reads a role's share of a model, from the model store if another flow made it."""
    file = _file(identity, version, role)
    if not os.path.exists(file) and database.has_model_store():
        with database.cursor() as c:
            c.execute(STORE)
            c.execute("SELECT f_content FROM standin_model_store WHERE f_model_id = %s AND f_model_version = %s AND f_role = %s", (identity, version, role))
            found = c.fetchone()
        if found:
            _write(file, found["f_content"])
    try:
        with open(file, encoding="utf-8") as f:
            found = json.load(f)
    except FileNotFoundError:
        raise Unknown(f"Can not found {identity} {version} model local cache.") from None
    if deployed and not found["deployed"]:
        raise Unknown(f"model {identity} {version} is not deployed")
    return found["content"]


def record(job_id, role, party, conf, fate_version, components):
    """Notes the model of a job that succeeded. components are the names and modules of those that have made a part of it."""
    identity = model_id(conf["role"])
    text = json.dumps(conf)
    database.save_model_info(
        f_role=role, f_party_id=party, f_model_id=identity, f_model_version=job_id, f_job_id=job_id, f_roles=json.dumps(conf["role"]),
        f_initiator_role=conf["initiator"]["role"], f_initiator_party_id=str(conf["initiator"]["party_id"]), f_runtime_conf=text,
        f_train_runtime_conf=text, f_runtime_conf_on_party=text, f_train_dsl="{}", f_inference_dsl="{}", f_fate_version=fate_version,
        f_parent=True, f_parent_info="{}")
    for component, module in [PIPELINE, *components]:
        database.save_component_meta(
            f_model_id=identity, f_model_version=job_id, f_role=role, f_party_id=party, f_component_name=component,
            f_component_module_name=module, f_model_alias=PIPELINE[0] if component == PIPELINE[0] else "model")


def deploy(identity, version, job_id):
    """Makes a new version, which jobs can predict with, at every party."""
    for role, party in participants(identity):
        federation.call(party, f"/v1/model/deploy/{role}", {"model_id": identity, "from": version, "to": job_id})
    return {"model_id": identity, "model_version": job_id}


@federation.command("/v1/model/deploy/")
def deploy_here(path, body):
    role = path.rsplit("/", 1)[1]
    identity, version, deployed = body["model_id"], body["from"], body["to"]
    save(identity, deployed, role, True, load(identity, version, role, False))
    parent = json.dumps({"parent_model_id": identity, "parent_model_version": version})
    database.copy_model_info(identity, version, role, f_model_version=deployed, f_job_id=deployed, f_parent=False, f_parent_info=parent)
    return {"retcode": 0, "retmsg": "success"}


def save_metrics(job_id, role, component, evaluated, pairs):
    content = {"train": {evaluated: {"data": pairs, "meta": {"metric_type": "EVALUATION_SUMMARY", "name": "train"}}}}
    with database.cursor() as c:
        c.execute(METRIC)
        c.execute("REPLACE INTO standin_metric VALUES (%s, %s, %s, %s)", (job_id, role, component, json.dumps(content)))


def metrics(job_id, role, component):
    with database.cursor() as c:
        c.execute(METRIC)
        c.execute("SELECT f_content FROM standin_metric WHERE f_job_id = %s AND f_role = %s AND f_component = %s", (job_id, role, component))
        found = c.fetchone()
    return json.loads(found["f_content"]) if found else {}
