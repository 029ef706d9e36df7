package main

import (
	"fmt"

	"fate-installer/installer/fate"
)

// contradictionError says that the cluster file would turn what is installed into something else.
type contradictionError struct{ problems fate.Problems }

func (e *contradictionError) Error() string {
	return "the cluster file contradicts what is installed on this host:\n" + e.problems.Error()
}

// Hint says how to go on, either way.
func (e *contradictionError) Hint() string {
	return "use the file that this host was installed with, or one that only adds to it; or say that the change is meant: --change-cluster, which also changes passwords"
}

// contradictions holds what is asked for against what is installed; without an installation there are none.
func (d *deployment) contradictions() (fate.Problems, error) {
	if d.stored == nil {
		return nil, nil
	}
	was, err := d.specOf(d.stored)
	if err != nil {
		// It was understood when it was installed, by an older program perhaps: nothing to compare with.
		return nil, fmt.Errorf("cannot read what this host was installed with: %w", err)
	}
	return fate.Contradictions(was, d.spec), nil
}

// refuseContradictions stops an install that would contradict the installed cluster file, unless the change is meant.
func (d *deployment) refuseContradictions(meant bool) error {
	problems, err := d.contradictions()
	if meant {
		for _, p := range problems {
			d.remarks = append(d.remarks, fate.Problem{Pos: p.Pos, Message: p.Message + "; it is changed"})
		}
		return nil
	}
	if err != nil {
		return exitCode(withHint(err, "to install as the cluster file says, whatever was installed before: --change-cluster"), exitUsage)
	}
	if len(problems) > 0 {
		return exitCode(&contradictionError{problems}, exitUsage)
	}
	return nil
}
