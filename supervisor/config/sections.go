package config

// Section is a section of a configuration file as it is written.
type Section struct {
	Name string
	Line int // from 1
	Keys []SectionKey
}

// SectionKey is a key of a section with its value as it is written, without comments and with its expressions.
type SectionKey struct {
	Name  string // in lower case
	Value string // lines of a continued value are joined by newlines
	Line  int    // from 1
}

// Sections reads a file of supervisord's dialect and gives what is written in it, without judging any key: for
// programs that compare or describe files of another supervisor. Problems are the lines that the dialect does not have;
// the rest of the file is read all the same.
func Sections(file string, data []byte) ([]Section, []Problem) {
	read, problems := parseINI(file, data)
	var out []Section
	for _, s := range read {
		section := Section{Name: s.name, Line: s.line}
		for _, k := range s.keys {
			section.Keys = append(section.Keys, SectionKey{k.name, k.value, k.line})
		}
		out = append(out, section)
	}
	return out, problems
}
