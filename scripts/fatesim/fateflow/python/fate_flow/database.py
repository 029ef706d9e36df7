"""The fate_flow database. FATE-Flow makes the tables that are missing itself, ends when it cannot, and alters none.

models.json has the tables of the release that is copied. Rows are inserted and tasks are read with all columns of their
table, as the real one's are: a column that is missing is an error of the server, 1054.
"""

import contextlib
import hashlib
import json
import os
import time

import pymysql

with open(os.path.join(os.path.dirname(__file__), "models.json"), encoding="utf-8") as f:
    MODELS = {table["Name"]: table for table in json.load(f) if not table["Name"].endswith("*")}

# Which flow runs a job: the real one has it in t_task alone.
STAND_INS_OWN = {"t_job": ["f_run_ip VARCHAR(100)", "f_run_port INT"]}

COLUMNS = "f_job_id, f_role, f_party_id, f_initiator_role, f_initiator_party_id, f_status, f_run_ip, f_run_port, f_create_time, f_update_time, f_tag, f_roles, f_is_initiator, f_cores, f_resource_in_use, f_start_time, f_end_time"

ENDED = ("success", "failed", "canceled", "timeout")

_login = {}
_model_store = False


def setup(conf):
    global _model_store
    _model_store = bool(conf.get("enable_model_store"))
    _login.update(
        host=conf.get("database.host"), port=conf.get("database.port"), user=conf.get("database.user"),
        password=str(conf.get("database.passwd")), database=conf.get("database.name"),
        connect_timeout=10, autocommit=True, cursorclass=pymysql.cursors.DictCursor)
    with cursor() as c:
        c.execute("SET SESSION sql_notes = 0")
        for table in MODELS.values():
            c.execute(_create(table))


def _create(table):
    lines = []
    for column in table["Columns"]:
        line = f"`{column['Name']}` {column['Type']}"
        line += " NOT NULL" if column["NotNull"] else ""
        line += " AUTO_INCREMENT" if column["Auto"] else ""
        lines.append(line)
    lines += STAND_INS_OWN.get(table["Name"], [])
    lines.append("PRIMARY KEY (" + ", ".join(f"`{name}`" for name in table["Key"]) + ")")
    return f"CREATE TABLE IF NOT EXISTS `{table['Name']}` (" + ", ".join(lines) + ")"


@contextlib.contextmanager
def cursor():
    connection = pymysql.connect(**_login)
    try:
        with connection.cursor() as c:
            yield c
    finally:
        connection.close()


def has_model_store():
    return _model_store


@contextlib.contextmanager
def model_lock(*identity):
    """The lock under which the model store changes a model, as sync_model.py and db_models.py of 1.11 take it: for ever,
    which MariaDB answers with NULL. Without the model store there is none."""
    if not _model_store:
        yield
        return
    name = hashlib.sha256("_".join(("sync_model", *identity)).encode()).hexdigest()
    with cursor() as c:
        c.execute("SELECT GET_LOCK(%s, %s) AS answer", (name, -1))
        answer = c.fetchone()["answer"]
        if answer == 0:
            raise RuntimeError(f"acquire mysql lock {name} timeout")
        if answer != 1:
            raise RuntimeError(f"failed to acquire lock {name}")
        try:
            yield
        finally:
            c.execute("SELECT RELEASE_LOCK(%s) AS answer", (name,))


def now():
    return int(time.time() * 1000)


def _insert(c, verb, table, **values):
    """Inserts a row. What is not given is NULL, or as good as nothing."""
    columns = [column for column in MODELS[table]["Columns"] if not column["Auto"]]
    for column in columns:
        if column["Name"] not in values:
            text = column["Type"].startswith(("varchar", "text", "longtext"))
            values[column["Name"]] = ("" if text else 0) if column["NotNull"] else None
    names = ", ".join(f"`{column['Name']}`" for column in columns)
    marks = ", ".join(["%s"] * len(columns))
    c.execute(f"{verb} INTO `{table}` ({names}) VALUES ({marks})", tuple(values[column["Name"]] for column in columns))


def save_model_info(**values):
    with cursor() as c:
        _insert(c, "REPLACE", "t_machine_learning_model_info", f_create_time=now(), f_update_time=now(), **values)


def save_component_meta(**values):
    """Inserts a row, unless the component of this model has one."""
    key = ("f_model_id", "f_model_version", "f_role", "f_party_id", "f_component_name")
    with cursor() as c:
        c.execute("SELECT 1 FROM t_pipeline_component_meta WHERE " + " AND ".join(f"{k} = %s" for k in key), tuple(values[k] for k in key))
        if not c.fetchone():
            _insert(c, "INSERT", "t_pipeline_component_meta", f_create_time=now(), f_update_time=now(), **values)


def copy_model_info(model_id, version, role, **changes):
    """Copies what is noted of a model, as a new version of it."""
    with cursor() as c:
        for table in ("t_machine_learning_model_info", "t_pipeline_component_meta"):
            c.execute(f"SELECT * FROM {table} WHERE f_model_id = %s AND f_model_version = %s AND f_role = %s", (model_id, version, role))
            for row in c.fetchall():
                names = {column["Name"] for column in MODELS[table]["Columns"]}
                row.update({k: v for k, v in changes.items() if k in names})
                row.update(f_create_time=now(), f_update_time=now())
                _insert(c, "REPLACE", table, **row)


def create_job(job_id, role, party, initiator, runtime_conf):
    with cursor() as c:
        _insert(
            c, "INSERT", "t_job", f_job_id=job_id, f_role=role, f_party_id=party, f_initiator_role=initiator["role"],
            f_initiator_party_id=str(initiator["party_id"]), f_status="waiting", f_runtime_conf=runtime_conf,
            f_roles=json.dumps(json.loads(runtime_conf).get("role") or {role: [int(party)]}), f_tag="", f_dsl="{}", f_user="{}",
            f_is_initiator=(role, party) == (initiator["role"], str(initiator["party_id"])), f_create_time=now(), f_update_time=now())


def set_tag(job_id, tag):
    with cursor() as c:
        c.execute("UPDATE t_job SET f_tag = %s WHERE f_job_id = %s", (tag, job_id))


def set_status(job_id, role, party, status, unless=("success", "failed", "canceled", "timeout")):
    """Changes a job's status unless it has ended; returns whether it did."""
    marks = ", ".join(["%s"] * len(unless))
    with cursor() as c:
        times = ", f_start_time = COALESCE(f_start_time, f_update_time)" if status == "running" else ""
        if status in ENDED:
            times = ", f_end_time = f_update_time, f_resource_in_use = FALSE"
        return c.execute(
            f"UPDATE t_job SET f_status = %s, f_update_time = %s{times}"
            f" WHERE f_job_id = %s AND f_role = %s AND f_party_id = %s AND f_status NOT IN ({marks})",
            (status, now(), job_id, role, party, *unless)) > 0


def take_cores(job_id, role, party, cores, pool):
    """Takes cores of the party's pool for a job; returns how many there are left, or None when they are not enough."""
    with cursor() as c:
        c.execute("SELECT GET_LOCK('standin_resource', 10)")
        c.execute("SELECT COALESCE(SUM(f_cores), 0) AS used FROM t_job WHERE f_resource_in_use")
        left = pool - int(c.fetchone()["used"]) - cores
        if left >= 0:
            c.execute("UPDATE t_job SET f_cores = %s, f_resource_in_use = TRUE WHERE f_job_id = %s AND f_role = %s AND f_party_id = %s",
                      (cores, job_id, role, party))
        c.execute("SELECT RELEASE_LOCK('standin_resource')")
    return left if left >= 0 else None


def return_cores(job_id, role, party):
    with cursor() as c:
        c.execute("UPDATE t_job SET f_resource_in_use = FALSE WHERE f_job_id = %s AND f_role = %s AND f_party_id = %s", (job_id, role, party))


def create_task(job_id, component, module, role, party, here):
    with cursor() as c:
        _insert(
            c, "INSERT IGNORE", "t_task", f_job_id=job_id, f_component_name=component, f_component_module=module, f_task_id=f"{job_id}_{component}",
            f_task_version=0, f_role=role, f_party_id=party, f_status="waiting", f_party_status="waiting", f_run_on_this_party=here,
            f_error_report="", f_create_time=now(), f_update_time=now())


def set_task(job_id, component, role, party, status, error="", run_ip=None, run_port=None):
    """Changes a task unless it has ended."""
    times = {"running": ", f_start_time = COALESCE(f_start_time, f_update_time)", "waiting": ""}.get(
        status, ", f_end_time = f_update_time, f_elapsed = f_update_time - f_start_time")
    with cursor() as c:
        c.execute(
            f"UPDATE t_task SET f_status = %s, f_party_status = %s, f_error_report = %s, f_update_time = %s,"
            f" f_run_ip = COALESCE(%s, f_run_ip), f_run_port = COALESCE(%s, f_run_port){times}"
            " WHERE f_job_id = %s AND f_component_name = %s AND f_role = %s AND f_party_id = %s AND f_party_status IN ('waiting', 'running')",
            (status, status, error, now(), run_ip, run_port, job_id, component, role, party))


def end_tasks(job_id, role, party, status):
    """Ends what runs of a role, as stopping a job does."""
    with cursor() as c:
        c.execute("UPDATE t_task SET f_status = %s, f_party_status = %s, f_update_time = %s, f_end_time = f_update_time"
                  " WHERE f_job_id = %s AND f_role = %s AND f_party_id = %s AND f_party_status = 'running'", (status, status, now(), job_id, role, party))


TASK_FILTERS = ("job_id", "role", "party_id", "component_name", "status", "party_status")


def find_tasks(conditions):
    used = {k: str(v) for k, v in conditions.items() if k in TASK_FILTERS}
    where = " AND ".join(f"f_{k} = %s" for k in used) or "TRUE"
    with cursor() as c:
        names = ", ".join(column["Name"] for column in MODELS["t_task"]["Columns"])
        c.execute(f"SELECT {names} FROM t_task WHERE {where} ORDER BY f_create_time, f_task_id LIMIT 1000", tuple(used.values()))
        return c.fetchall()


def set_runner(job_id, role, party, host, port):
    with cursor() as c:
        c.execute("UPDATE t_job SET f_run_ip = %s, f_run_port = %s WHERE f_job_id = %s AND f_role = %s AND f_party_id = %s",
                  (host, port, job_id, role, party))


def find_jobs(**conditions):
    known = {"job_id", "role", "party_id", "status", "resource_in_use", "is_initiator"}
    used = {k: int(v) if isinstance(v, bool) else str(v) for k, v in conditions.items() if k in known and v not in (None, "", [])}
    where = " AND ".join(f"f_{k} = %s" for k in used) or "TRUE"
    with cursor() as c:
        c.execute(f"SELECT {COLUMNS}, f_runtime_conf FROM t_job WHERE {where} ORDER BY f_create_time DESC LIMIT 100", tuple(used.values()))
        return c.fetchall()
