package deploy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/step"
)

// guardsInTheWay refuses an uninstall before its first change when an attribute keeps root from changing a file of the
// system that it has to put back.
func (i *Installation) guardsInTheWay(journal *engine.Journal, resolve engine.Resolver) error {
	var guarded, remedies []string
	seen := map[string]bool{}
	for _, e := range journal.Ledger().Entries() {
		if _, undone := resolve(e.Step); !undone {
			continue // it stays with the data
		}
		for _, file := range step.Writes(e.Step) {
			if seen[file] || !path.IsAbs(file) {
				continue
			}
			seen[file] = true
			if guard := i.host.Guard(file); guard != "" {
				guarded = append(guarded, file)
				remedies = append(remedies, "chattr -"+guard+" "+file)
			}
		}
	}
	if len(guarded) == 0 {
		return nil
	}
	slices.Sort(guarded)
	slices.Sort(remedies)
	err := fmt.Errorf("cannot uninstall: not even root can change %s; nothing was changed", strings.Join(guarded, ", "))
	return exit.With(exit.Repeat(err, strings.Join(remedies, "; ")+"; then", ""), exit.Preflight)
}
