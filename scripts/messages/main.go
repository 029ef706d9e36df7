// Command messages brings the catalogues of installer/language up to date with the texts of the source, as msgmerge
// does: translations stay, new texts get an empty one, and what no text needs goes. It is run in the directory of the
// module, go run ./scripts/messages, and prints what there is to do. With -check it changes nothing.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"fate-installer/installer/language"
	"fate-installer/installer/language/messages"
)

func main() {
	check := flag.Bool("check", false, "change nothing")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	wrong := 0
	for _, name := range language.Names {
		if name == language.English {
			continue
		}
		if !check {
			if err := update(name); err != nil {
				return err
			}
		}
		lines, err := messages.Check(".", name)
		if err != nil {
			return err
		}
		for _, line := range lines {
			fmt.Println(line)
		}
		wrong += len(lines)
	}
	if wrong > 0 {
		return fmt.Errorf("the catalogues have %d faults", wrong)
	}
	return nil
}

// update writes the catalogues of a language, and removes those of packages that have no texts any more.
func update(name string) error {
	merged, err := messages.Merged(".", name)
	if err != nil {
		return err
	}
	dir := filepath.Join(messages.Directory, name)
	files, err := filepath.Glob(filepath.Join(dir, "*.po"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if _, used := merged[filepath.Base(file)]; !used {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	for file, data := range merged {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(data), 0o644); err != nil {
			return err
		}
	}
	return nil
}
