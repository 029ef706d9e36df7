package supervisor

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"fate-installer/installer/host/tasks"
	"fate-installer/supervisor/process"
	"fate-installer/supervisor/shim"
)

// Where no process or thread can be made any more, workers of jobs do not start, and Go ends a process that cannot get
// a thread for a goroutine ("failed to create new OS thread"). So the limits are watched, as file systems are, and the
// daemon makes its threads when it starts.

// taskShare is the part of a limit on tasks that is its reserve: with less left, programs are degraded.
const taskShare = 10

// taskLimits reads the limits on the processes and threads of the daemon and its programs: those of its control group
// and of all above, and those of the machine.
func taskLimits() []tasks.Limit {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		own = nil // the limits of the machine are left
	}
	limits, _ := tasks.Read(tasks.Groups(string(own)), os.ReadFile) // what cannot be read is not watched
	return limits
}

// lackTasks says which limit on tasks is nearly reached; "" when none is.
func lackTasks(limits []tasks.Limit, wasLow bool) string {
	for _, l := range limits {
		if below(l.Free(), l.Max/taskShare, wasLow) {
			return fmt.Sprintf("the limit on processes and threads is nearly reached: %d of %d are in use, limit in %s",
				l.Used, l.Max, l.File)
		}
	}
	return ""
}

// threadsKept is how many threads the daemon makes when it starts. The runtime keeps them. Its goroutines wait in the
// network poller mostly; those that wait in the kernel, for a disk or for a fork, are fewer.
const threadsKept = 24

// mostProcessors bounds the threads that run at the same time: the daemon has little to compute.
const mostProcessors = 4

// prepareThreads makes the threads that the daemon may need, as long as there is room for them.
func prepareThreads(limits []tasks.Limit) {
	if runtime.GOMAXPROCS(0) > mostProcessors {
		runtime.GOMAXPROCS(mostProcessors)
	}
	n := threadsKept
	if l, ok := tasks.Tightest(limits); ok {
		n = int(min(uint64(n), l.Free()/2)) // to end for want of one of these would be worse
	}
	var own unix.Rlimit
	if os.Geteuid() != 0 && unix.Getrlimit(unix.RLIMIT_NPROC, &own) == nil && own.Cur < 100*threadsKept {
		return // how many of them are used is not known
	}
	makeThreads(n)
}

// makeThreads has n threads at the same time. A goroutine that is locked to its thread takes it along into its wait.
func makeThreads(n int) {
	var have, done sync.WaitGroup
	end := make(chan struct{})
	have.Add(n)
	for range n {
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			have.Done()
			<-end
		})
	}
	have.Wait()
	close(end)
	done.Wait()
}

// startTasks is how many tasks a start needs for a moment: the process that becomes the program has some threads.
const startTasks = 8

// taskShortage completes the cause of a failed start with the limit on tasks that was reached; other errors stay as
// they are. The process that is to become the program may have ended for want of a thread, without a word.
func (sup *Supervisor) taskShortage(err error, spec *shim.Spec) error {
	refused := errors.Is(err, unix.EAGAIN)
	if !refused && !errors.Is(err, process.ErrEnded) && !errors.Is(err, unix.EPIPE) {
		return err
	}
	if l, ok := tasks.Tightest(sup.tasksOf()); ok && l.Free() < startTasks {
		return &TaskLimitError{Max: l.Max, By: l.File, Err: err}
	}
	if !refused {
		return err
	}
	if spec != nil {
		for _, l := range spec.Limits {
			if l.Resource == unix.RLIMIT_NPROC {
				return &TaskLimitError{Max: l.Soft, By: l.Name + ", which counts all that its user has", Err: err}
			}
		}
	}
	return err
}

// TaskLimitError says that a process could not be made because a limit on processes and threads is reached.
type TaskLimitError struct {
	Max uint64
	By  string // the file that has the limit, or its name
	Err error
}

func (e *TaskLimitError) Error() string {
	cause := e.Err.Error()
	if !errors.Is(e.Err, unix.EAGAIN) { // the process ended without a word
		cause += ": " + unix.EAGAIN.Error()
	}
	return fmt.Sprintf("%s: task limit %d of %s reached", cause, e.Max, e.By)
}

// Unwrap gives the cause, and EAGAIN: the start is tried again.
func (e *TaskLimitError) Unwrap() []error { return []error{e.Err, unix.EAGAIN} }
