package flow

import (
	"strings"
	"testing"
)

// The answers of refused submissions, as FATE-Flow 1.9 and 1.11 have sent them.
const (
	unreachablePeer = `Traceback (most recent call last):
  File "/data/projects/fate/fateflow/python/fate_flow/scheduler/dag_scheduler.py", line 142, in submit
    raise Exception("create job failed", response)
Exception: ('create job failed', {'guest': {10000: {'data': {'components': {'secure_add_example_0': {'need_run': True}}}, 'retcode': 0, 'retmsg': 'success'}}, 'host': {9999: {'retcode': <RetCode.FEDERATED_ERROR: 104>, 'retmsg': 'Federated schedule error, <_InactiveRpcError of RPC that terminated with:\\n\\tstatus = StatusCode.UNAVAILABLE\\n\\tdetails = "UNAVAILABLE: \\n[Roll Site Error TransInfo] \\n location msg=UNAVAILABLE: io exception \\n stack info=io.grpc.StatusRuntimeException: UNAVAILABLE: io exception\\n\\tat io.grpc.stub.ClientCalls.toStatusRuntimeException(ClientCalls.java:262)"\\n>'}}})`
	missingModule = `Traceback (most recent call last):
  File "xxx", line 142, in submit
    raise Exception("create job failed", response)
Exception: ('create job failed', {'guest': {9999: {'retcode': 100, 'retmsg': 'Traceback (most recent call last):\n  File "/x/hetero_nn.py", line 20, in <module>\n    import torch.nn as nn\nAttributeError: module \'torch\' has no attribute \'nn\'\n'}}})`
	oldPeer = `Traceback (most recent call last):
Exception: ('create job failed', {'guest': {9999: {'retcode': 0, 'retmsg': 'success'}}, 'host': {10000: {'data': {'src_fate_ver': '1.6.1'}, 'retcode': 107, 'retmsg': 'Incompatible FATE versions'}}})`
	tooManyCores = `Traceback (most recent call last):
Exception: ('create job failed', {'guest': {9999: {'retcode': 100, 'retmsg': "RuntimeError('max cores per job is 4 base on (x), expect 8 cores')"}}})`
	unknownColumn = `Traceback (most recent call last):
  File "/x/peewee.py", line 2653, in execute_sql
    cursor.execute(sql, params or ())
pymysql.err.OperationalError: (1054, "Unknown column 'f_is_deepspeed' in 'field list'")

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/x/job_saver.py", line 3, in create
peewee.OperationalError: (1054, "Unknown column 'f_is_deepspeed' in 'field list'")
`
	javaCauses = `Traceback (most recent call last):
eggroll.core.client.CommandCallError: ('Failed to call command: x, caused by: ', <_InactiveRpcError of RPC that terminated with:
	status = StatusCode.INTERNAL
	details = "192.168.0.1:4670: java.lang.reflect.InvocationTargetException
	at sun.reflect.NativeMethodAccessorImpl.invoke0(Native Method)
Caused by: com.webank.eggroll.core.error.ErSessionException: unable to start all processors for session id: 'x'. total processors: 2, started count: 0
	... 7 more
"
>)`
)

func TestExplainFindsWhoRefusedAndWhy(t *testing.T) {
	for _, tt := range []struct {
		name, message string
		want          Refusal
	}{
		{"a party that cannot be reached", unreachablePeer, Refusal{"host", "9999", "104",
			"UNAVAILABLE: io exception"}},
		{"a module that a party lacks", missingModule, Refusal{"guest", "9999", "100",
			"AttributeError: module 'torch' has no attribute 'nn'"}},
		{"a party with an old release", oldPeer, Refusal{"host", "10000", "107", "Incompatible FATE versions"}},
		{"too many cores", tooManyCores, Refusal{"guest", "9999", "100",
			"RuntimeError('max cores per job is 4 base on (x), expect 8 cores')"}},
		{"FATE-Flow itself", unknownColumn,
			Refusal{Reason: `peewee.OperationalError: (1054, "Unknown column 'f_is_deepspeed' in 'field list'")`}},
		{"eggroll", javaCauses,
			Refusal{Reason: "com.webank.eggroll.core.error.ErSessionException: unable to start all processors for " +
				"session id: 'x'. total processors: 2, started count: 0"}},
		{"a plain sentence", "  job_runtime_conf has no role\n", Refusal{Reason: "job_runtime_conf has no role"}},
		{"nothing", "", Refusal{}},
	} {
		if got := Explain(tt.message); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestRefusedSubmissionIsOneLine(t *testing.T) {
	for _, message := range []string{unreachablePeer, missingModule, unknownColumn, javaCauses,
		strings.Repeat("x", 100_000)} {
		text := (&Error{Path: "/v1/job/submit", Retcode: 103, Message: message}).Error()
		if len(text) > 600 || strings.Contains(text, "\n") || strings.Contains(text, `\n`) ||
			strings.Contains(text, "Traceback") {
			t.Errorf("%d bytes: %.300s", len(text), text)
		}
	}
}

func FuzzExplain(f *testing.F) {
	for _, s := range []string{unreachablePeer, missingModule, oldPeer, unknownColumn, javaCauses,
		`'retcode': 1, 'retmsg': '`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message string) {
		if got := Explain(message); len(got.Reason) > reasonLength+3 || strings.Contains(got.Reason, "\n") {
			t.Errorf("%q", got.Reason)
		}
	})
}
