package host

// An Op names a primitive change that [Host] makes, for fault injection.
type Op string

// The primitive changes. A write is reported once per file, before its bytes.
const (
	OpCreate  Op = "create"
	OpWrite   Op = "write"
	OpSync    Op = "sync"
	OpChmod   Op = "chmod"
	OpChown   Op = "chown"
	OpRename  Op = "rename"
	OpSyncDir Op = "syncdir"
	OpMkdir   Op = "mkdir"
	OpRemove  Op = "remove"
	OpSymlink Op = "symlink"
)

// A Fault may refuse a change by returning an error, for example syscall.ENOSPC. A refused write has
// put half of its bytes on disk, as a full disk does.
type Fault func(op Op, abs string) error

// A TestingT is a *testing.T. Only tests have one, which keeps [Host.InjectFaults] out of product code
// without this package importing testing.
type TestingT interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// InjectFaults makes every later change ask f first, until the test ends. It refuses the running machine.
func (h *Host) InjectFaults(t TestingT, f Fault) {
	t.Helper()
	if h.IsSystem() {
		t.Fatalf("faults are not injected into the running machine")
	}
	h.fault = f
	t.Cleanup(func() { h.fault = nil })
}

// InjectSpace has [Host.Space] answer what f makes of its answer, until the test ends, for file systems that are full.
// It changes nothing on the running machine.
func (h *Host) InjectSpace(t TestingT, f func(abs string, s Space) Space) {
	t.Helper()
	h.room = f
	t.Cleanup(func() { h.room = nil })
}

func (h *Host) try(op Op, abs string) error {
	if h.fault == nil {
		return nil
	}
	return h.fault(op, abs)
}
