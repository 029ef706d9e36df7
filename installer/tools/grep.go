package tools

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// grepOptions are those of one command line.
type grepOptions struct {
	extended, fixed, ignoreCase, word, line bool // -E -F -i -w -x
	invert, quiet, silent, count, numbers   bool // -v -q -s -c -n
	names, noNames, list                    bool // -H -h -l
	patterns                                []string
}

// grep prints the lines that match a basic regular expression, or an extended one with -E, or a text with -F. Statuses:
// 0 when a line was found, 1 when none was, 2 after an error. Back-references are not supported.
func grep(s streams, args []string) int {
	o, files, err := parseGrep(args)
	if err != nil {
		return s.fail(2, "grep", "%v", err)
	}
	match, err := o.compile()
	if err != nil {
		return s.fail(2, "grep", "%v", err)
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	o.names = o.names || len(files) > 1 && !o.noNames
	out := bufio.NewWriter(s.out)
	status := 1
	for _, name := range files {
		found, err := o.file(s.in, out, name, match)
		if found && status == 1 {
			status = 0
		}
		if err != nil {
			if !o.silent {
				s.fail(2, "grep", "%v", err)
			}
			status = 2
		}
		if found && o.quiet {
			return 0
		}
	}
	if err := out.Flush(); err != nil {
		return s.fail(2, "grep", "%v", err)
	}
	return status
}

func parseGrep(args []string) (o grepOptions, files []string, err error) {
	flags := map[byte]*bool{
		'E': &o.extended, 'F': &o.fixed, 'i': &o.ignoreCase, 'w': &o.word, 'x': &o.line, 'v': &o.invert, 'q': &o.quiet,
		's': &o.silent, 'c': &o.count, 'n': &o.numbers, 'H': &o.names, 'h': &o.noNames, 'l': &o.list,
	}
	var rest []string
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		if a == "--" {
			rest = append(rest, args...)
			break
		}
		if len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		for i := 1; i < len(a); i++ {
			if a[i] == 'e' {
				value := a[i+1:]
				if value == "" {
					if len(args) == 0 {
						return o, nil, errors.New("-e needs a pattern")
					}
					value, args = args[0], args[1:]
				}
				o.patterns = append(o.patterns, value)
				break
			}
			flag := flags[a[i]]
			if flag == nil {
				return o, nil,
					fmt.Errorf("unknown option %s: this is fate-installer's own grep, which knows -EFHcehilnqsvwx only",
						a)
			}
			*flag = true
		}
	}
	if o.patterns == nil {
		if len(rest) == 0 {
			return o, nil, errors.New("no pattern given; usage: grep [-EFHchilnqsvwx] PATTERN [FILE...]")
		}
		o.patterns, rest = rest[:1], rest[1:]
	}
	return o, rest, nil
}

// compile returns what decides about a line without its end.
func (o grepOptions) compile() (func(line []byte) bool, error) {
	var alternatives []string
	for _, given := range o.patterns {
		for p := range strings.SplitSeq(given, "\n") {
			switch {
			case o.fixed:
				p = regexp.QuoteMeta(p)
			case o.extended:
				p = escapeRE2(p)
			default:
				p = basicToRE2(p)
			}
			alternatives = append(alternatives, "(?:"+p+")")
		}
	}
	text := "(?:" + strings.Join(alternatives, "|") + ")"
	switch {
	case o.line:
		text = "^" + text + "$"
	case o.word:
		text = `(?:^|\W)` + text + `(?:\W|$)`
	}
	if o.ignoreCase {
		text = "(?i)" + text
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("cannot use pattern %q: %w", strings.Join(o.patterns, `" or "`), err)
	}
	return func(line []byte) bool { return re.Match(line) != o.invert }, nil
}

func (o grepOptions) file(in io.Reader, out *bufio.Writer, name string, match func([]byte) bool) (found bool,
	err error) {
	shown := name
	if name == "-" {
		shown = "(standard input)"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return false, err
		}
		defer f.Close()
		in = f
	}
	prefix := ""
	if o.names {
		prefix = shown + ":"
	}
	r := bufio.NewReader(in)
	count := 0
	for number := 1; ; number++ {
		line, err := r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return count > 0, fmt.Errorf("%s: %w", shown, err)
		}
		ended := err != nil
		if ended && len(line) == 0 {
			break
		}
		if line = bytes.TrimSuffix(line, []byte("\n")); match(line) {
			count++
			switch {
			case o.quiet:
				return true, nil
			case o.list:
				fmt.Fprintln(out, shown)
				return true, nil
			case !o.count && o.numbers:
				fmt.Fprintf(out, "%s%d:%s\n", prefix, number, line)
			case !o.count:
				fmt.Fprintf(out, "%s%s\n", prefix, line)
			}
		}
		if ended {
			break
		}
	}
	if o.count && !o.list && !o.quiet {
		fmt.Fprintf(out, "%s%d\n", prefix, count)
	}
	return count > 0, nil
}
