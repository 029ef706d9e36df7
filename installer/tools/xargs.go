package tools

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
)

// xargs runs a command with the words of standard input as arguments: -r not without any, -n N at most N at a time, -0
// for words that end with a zero byte. Statuses are those of GNU xargs: 123 when a command failed, 127 when it is not
// found, 126 when it cannot be run, 1 for wrong usage.
func xargs(s streams, args []string) int {
	limit, zero, skipEmpty := 0, false, false
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		option := args[0]
		args = args[1:]
		switch option {
		case "-r", "--no-run-if-empty":
			skipEmpty = true
			continue
		case "-0", "--null":
			zero = true
			continue
		case "-n":
			if len(args) > 0 {
				if n, err := strconv.Atoi(args[0]); err == nil && n > 0 {
					limit, args = n, args[1:]
					continue
				}
			}
			return s.fail(1, "xargs", "-n needs a number above 0")
		}
		if option == "--" {
			break
		}
		return s.fail(1, "xargs",
			"unknown option %s: this is fate-installer's own xargs, which knows -0, -n and -r only; install findutils",
			option)
	}
	if len(args) == 0 {
		args = []string{"echo"}
	}
	input, err := io.ReadAll(s.in)
	if err != nil {
		return s.fail(1, "xargs", "cannot read standard input: %v", err)
	}
	words, err := splitWords(input, zero)
	if err != nil {
		return s.fail(1, "xargs", "%v", err)
	}
	if len(words) == 0 && skipEmpty {
		return 0
	}
	status := 0
	for {
		batch := takeBatch(words, limit)
		words = words[len(batch):]
		switch code := runCommand(s, args, batch); {
		case code > 123:
			return code
		case code != 0:
			status = 123
		}
		if len(words) == 0 {
			return status
		}
	}
}

// commandBytes bounds the arguments of one command, as POSIX wants it from xargs: 128 KiB with room for an environment.
const commandBytes = 96 << 10

func takeBatch(words []string, limit int) []string {
	size := 0
	for i, w := range words {
		if size += len(w) + 1; i > 0 && (size > commandBytes || limit > 0 && i >= limit) {
			return words[:i]
		}
	}
	return words
}

// runCommand runs one command and returns 0, 123 when it failed, or 126 and 127 when it did not run.
func runCommand(s streams, args, batch []string) int {
	cmd := exec.Command(args[0], append(append([]string(nil), args[1:]...), batch...)...)
	cmd.Stdout, cmd.Stderr = s.out, s.err
	err := cmd.Run()
	exit := new(exec.ExitError)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return 123
	case errors.Is(err, exec.ErrNotFound):
		return s.fail(127, "xargs", "%s: not found", args[0])
	}
	return s.fail(126, "xargs", "%s: %v", args[0], err)
}

// splitWords splits at blanks and newlines, outside of quotes and not after a backslash.
func splitWords(input []byte, zero bool) ([]string, error) {
	var words []string
	if zero {
		for _, w := range bytes.Split(bytes.TrimSuffix(input, []byte{0}), []byte{0}) {
			words = append(words, string(w))
		}
		if len(input) == 0 {
			return nil, nil
		}
		return words, nil
	}
	var word []byte
	inWord, escaped := false, false
	quote := byte(0)
	for _, c := range input {
		switch {
		case escaped:
			word, escaped = append(word, c), false
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0 && c == '\n':
			return nil, fmt.Errorf("a quote %c has no end on its line", quote)
		case quote != 0:
			word = append(word, c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == '\\':
			escaped, inWord = true, true
		case c == ' ' || c == '\t' || c == '\n':
			if inWord {
				words, word, inWord = append(words, string(word)), nil, false
			}
		default:
			word, inWord = append(word, c), true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c has no end", quote)
	}
	if inWord {
		words = append(words, string(word))
	}
	return words, nil
}
