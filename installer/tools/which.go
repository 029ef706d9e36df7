package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// which prints where programs are on PATH; -a prints every place. The status is 1 when one of them is nowhere.
func which(s streams, args []string) int {
	every := false
	if len(args) > 0 && args[0] == "-a" {
		every, args = true, args[1:]
	}
	status := 0
	for _, name := range args {
		found := false
		for _, dir := range searchPath(name) {
			file := filepath.Join(dir, name)
			info, err := os.Stat(file)
			if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
				continue
			}
			fmt.Fprintln(s.out, file)
			if found = true; !every {
				break
			}
		}
		if !found {
			status = 1
		}
	}
	return status
}

// searchPath lists the directories of PATH; a name with a slash is looked for where it says.
func searchPath(name string) []string {
	if strings.Contains(name, "/") {
		return []string{""}
	}
	return filepath.SplitList(os.Getenv("PATH"))
}
