"""The fate_flow database. FATE-Flow makes its tables itself, and ends when it cannot."""

import contextlib
import time

import pymysql

JOB = """CREATE TABLE IF NOT EXISTS t_job (
  f_job_id VARCHAR(25) NOT NULL, f_role VARCHAR(50) NOT NULL, f_party_id VARCHAR(10) NOT NULL,
  f_initiator_role VARCHAR(50) NOT NULL, f_initiator_party_id VARCHAR(10) NOT NULL,
  f_status VARCHAR(50) NOT NULL, f_runtime_conf LONGTEXT NOT NULL, f_run_ip VARCHAR(100), f_run_port INT,
  f_create_time BIGINT NOT NULL, f_update_time BIGINT NOT NULL,
  PRIMARY KEY (f_job_id, f_role, f_party_id), KEY (f_status))"""

# Others that FATE-Flow makes; here they are only there.
OTHERS = [
    "t_task", "t_machine_learning_model_info", "t_engine_registry", "t_worker", "t_component_registry",
    "t_component_provider_info", "t_component_info", "t_server_registry_info", "t_service_registry_info",
    "t_site_key_info", "t_model_tag", "t_tags", "t_cache_record", "t_data_table_tracking",
    "t_pipeline_component_meta", "t_storage_table_meta", "t_storage_connector", "t_session_record",
]

COLUMNS = "f_job_id, f_role, f_party_id, f_initiator_role, f_initiator_party_id, f_status, f_run_ip, f_run_port, f_create_time, f_update_time"

_login = {}


def setup(conf):
    _login.update(
        host=conf.get("database.host"), port=conf.get("database.port"), user=conf.get("database.user"),
        password=str(conf.get("database.passwd")), database=conf.get("database.name"),
        connect_timeout=10, autocommit=True, cursorclass=pymysql.cursors.DictCursor)
    with cursor() as c:
        c.execute("SET SESSION sql_notes = 0")
        c.execute(JOB)
        for table in OTHERS:
            c.execute(f"CREATE TABLE IF NOT EXISTS {table} (f_id BIGINT AUTO_INCREMENT PRIMARY KEY, f_create_time BIGINT)")


@contextlib.contextmanager
def cursor():
    connection = pymysql.connect(**_login)
    try:
        with connection.cursor() as c:
            yield c
    finally:
        connection.close()


def now():
    return int(time.time() * 1000)


def create_job(job_id, role, party, initiator, runtime_conf):
    with cursor() as c:
        c.execute(
            "INSERT INTO t_job VALUES (%s, %s, %s, %s, %s, 'waiting', %s, NULL, NULL, %s, %s)",
            (job_id, role, party, initiator["role"], str(initiator["party_id"]), runtime_conf, now(), now()))


def set_status(job_id, role, party, status, unless=("success", "failed", "canceled", "timeout")):
    """Changes a job's status unless it has ended; returns whether it did."""
    marks = ", ".join(["%s"] * len(unless))
    with cursor() as c:
        return c.execute(
            f"UPDATE t_job SET f_status = %s, f_update_time = %s"
            f" WHERE f_job_id = %s AND f_role = %s AND f_party_id = %s AND f_status NOT IN ({marks})",
            (status, now(), job_id, role, party, *unless)) > 0


def set_runner(job_id, role, party, host, port):
    with cursor() as c:
        c.execute("UPDATE t_job SET f_run_ip = %s, f_run_port = %s WHERE f_job_id = %s AND f_role = %s AND f_party_id = %s",
                  (host, port, job_id, role, party))


def find_jobs(**conditions):
    known = {"job_id", "role", "party_id", "status"}
    used = {k: str(v) for k, v in conditions.items() if k in known and v not in (None, "", [])}
    where = " AND ".join(f"f_{k} = %s" for k in used) or "TRUE"
    with cursor() as c:
        c.execute(f"SELECT {COLUMNS}, f_runtime_conf FROM t_job WHERE {where} ORDER BY f_create_time DESC LIMIT 100", tuple(used.values()))
        return c.fetchall()
