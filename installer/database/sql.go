package database

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// splitSQL cuts a script into its statements, without the semicolons between them, as MySQL's own client does. It knows
// the comments ("-- " to the end of the line, "#" likewise, /* */) and quotes with both ways of escaping. Comments are
// left out, except those with code for some versions (/*! */). A line "DELIMITER //" changes what ends a statement, as
// scripts with procedures need.
func splitSQL(script string) ([]string, error) {
	var statements []string
	var current strings.Builder
	delimiter := ";"
	end := func() {
		if s := strings.TrimSpace(current.String()); s != "" {
			statements = append(statements, s)
		}
		current.Reset()
	}
	for rest := script; rest != ""; {
		between := strings.TrimSpace(current.String()) == ""
		if m := delimiterCommand().FindStringSubmatch(rest); m != nil && between {
			delimiter, rest = m[1], rest[len(m[0]):]
			continue
		}
		kind, n, err := nextToken(rest, between, delimiter)
		if err != nil {
			line := strings.Count(script[:len(script)-len(rest)], "\n") + 1
			return nil, fmt.Errorf("cannot read the SQL at line %d: %w", line, err)
		}
		switch kind {
		case tokenEnd:
			end()
		case tokenComment:
			current.WriteByte(' ') // a comment separates words
		case tokenText:
			current.WriteString(rest[:n])
		}
		rest = rest[n:]
	}
	end()
	return statements, nil
}

// delimiterCommand is a line that the client takes for itself, between statements.
var delimiterCommand = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^\s*DELIMITER[ \t]+(\S+)[ \t]*(?:\r?\n|$)`)
})

type token int

const (
	tokenText token = iota
	tokenComment
	tokenEnd // of a statement
)

// nextToken finds the token that s begins with and its length. Text is anything up to the next byte that could begin
// something else. Between statements, two dashes begin a comment even without a blank: eggroll's schema has such lines,
// and only the client, not the server, takes them.
func nextToken(s string, between bool, delimiter string) (token, int, error) {
	switch {
	case strings.HasPrefix(s, delimiter):
		return tokenEnd, len(delimiter), nil
	case s[0] == '#', isDashComment(s), between && strings.HasPrefix(s, "--"):
		if end := strings.IndexByte(s, '\n'); end >= 0 {
			return tokenComment, end, nil
		}
		return tokenComment, len(s), nil
	case strings.HasPrefix(s, "/*"):
		end := strings.Index(s[2:], "*/")
		if end < 0 {
			return 0, 0, errors.New("a comment does not end")
		}
		if strings.HasPrefix(s, "/*!") || strings.HasPrefix(s, "/*M!") {
			return tokenText, end + 4, nil
		}
		return tokenComment, end + 4, nil
	case strings.IndexByte("'\"`", s[0]) >= 0:
		n, err := quotedLength(s)
		return tokenText, n, err
	}
	if end := strings.IndexAny(s[1:], delimiter[:1]+"#-/'\"`"); end >= 0 {
		return tokenText, end + 1, nil
	}
	return tokenText, len(s), nil
}

// isDashComment: two dashes begin a comment only when a blank or the end follows; 5--3 is arithmetic.
func isDashComment(s string) bool {
	return strings.HasPrefix(s, "--") && (len(s) == 2 || strings.IndexByte(" \t\r\n", s[2]) >= 0)
}

// quotedLength is the length of the quoted text s begins with. A doubled quote stands for itself, and so does what a
// backslash precedes, except in backquotes.
func quotedLength(s string) (int, error) {
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote != '`':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("a text in %c quotes does not end", quote)
}

// schemaScript is a script that makes tables and indexes, understood as far as is needed to tell whether it has been
// carried out.
type schemaScript struct {
	statements []string
	tables     []string
	indexes    []tableIndex
}

type tableIndex struct{ table, name string }

var (
	chooseDatabase = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?is)^(USE|CREATE\s+(DATABASE|SCHEMA))\b`)
	})
	createTable = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile("(?is)^CREATE\\s+TABLE\\s+(?:IF\\s+NOT\\s+EXISTS\\s+)?" +
			"((?:`[^`]+`|\\w+)(?:\\.(?:`[^`]+`|\\w+))?)")
	})
	createIndex = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile("(?is)^CREATE\\s+(?:UNIQUE\\s+)?INDEX\\s+(`[^`]+`|\\w+)\\s+ON\\s+(`[^`]+`|\\w+)")
	})
)

// parseSchema reads a script. Statements that choose a database are left out: the configuration does.
func parseSchema(script string) (schemaScript, error) {
	all, err := splitSQL(script)
	if err != nil {
		return schemaScript{}, err
	}
	var s schemaScript
	for _, statement := range all {
		if chooseDatabase().MatchString(statement) {
			continue
		}
		s.statements = append(s.statements, statement)
		if m := createTable().FindStringSubmatch(statement); m != nil {
			s.tables = append(s.tables, unquoteName(m[1]))
		}
		if m := createIndex().FindStringSubmatch(statement); m != nil {
			s.indexes = append(s.indexes, tableIndex{unquoteName(m[2]), unquoteName(m[1])})
		}
	}
	if len(s.tables) == 0 {
		return s, errors.New("cannot use the schema: it makes no table")
	}
	return s, nil
}

// unquoteName gives the last part of a possibly qualified name without backquotes.
func unquoteName(s string) string {
	s = strings.ReplaceAll(s, "`", "")
	return s[strings.LastIndexByte(s, '.')+1:]
}

// quoteName quotes a name for use in SQL.
func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }
