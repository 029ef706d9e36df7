package problem

import (
	"bytes"
	"errors"
	"unicode/utf8"
)

// ErrUTF16 is a text that Windows' editors save as "Unicode".
var ErrUTF16 = errors.New("it is UTF-16 text, which Windows' editors call Unicode; save it as UTF-8")

// byteOrderMark precedes UTF-8 text that Windows' editors write.
var byteOrderMark = []byte("\ufeff")

// Text is data as UTF-8 text without a byte order mark. It returns ErrUTF16 for UTF-16, with or without a mark.
func Text(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil, ErrUTF16
	}
	// Every ASCII character of UTF-16 has a zero byte, and no text of ours has any.
	if len(data) >= 4 && (data[0] == 0 && data[2] == 0 && data[1] != 0 || data[1] == 0 && data[3] == 0 &&
		data[0] != 0) {
		return nil, ErrUTF16
	}
	return bytes.TrimPrefix(data, byteOrderMark), nil
}

// LookAlike is a character that looks like one of the syntax and is another.
type LookAlike struct {
	Col  int    // from 1, in characters
	Char string // as it was written
	Name string // in words
	Want string // what was meant, for a person
}

// Chinese input methods write these for punctuation, and web pages and word processors have them for spaces and
// quotes.
var lookAlikes = map[rune]struct{ name, want string }{
	'\uff1a': {"a full-width colon", "a colon and a space"},
	'\uff0c': {"a full-width comma", "a comma and a space"},
	'\u3001': {"an ideographic comma", "a comma and a space"},
	'\uff0d': {"a full-width hyphen", "a hyphen"},
	'\uff03': {"a full-width number sign", "#"},
	'\uff3b': {"a full-width bracket", "["},
	'\uff3d': {"a full-width bracket", "]"},
	'\u3010': {"a full-width bracket", "["},
	'\u3011': {"a full-width bracket", "]"},
	'\uff5b': {"a full-width brace", "{"},
	'\uff5d': {"a full-width brace", "}"},
	'\uff0e': {"a full-width dot", "a dot"},
	'\u3002': {"an ideographic full stop", "a dot"},
	'\u201c': {"a typographic quote", "a straight quote"},
	'\u201d': {"a typographic quote", "a straight quote"},
	'\u2018': {"a typographic quote", "a straight quote"},
	'\u2019': {"a typographic quote", "a straight quote"},
	'\u2013': {"a dash", "a hyphen"},
	'\u2014': {"a dash", "a hyphen"},
	'\u00a0': {"a no-break space", "a space"},
	'\u3000': {"a full-width space", "a space"},
	'\u200b': {"an invisible zero-width space", "nothing"},
	'\ufeff': {"an invisible byte order mark", "nothing"},
}

// FindLookAlike returns the first such character of a line of YAML that is not in a comment. Full-width digits and
// letters count, too.
func FindLookAlike(line string) (LookAlike, bool) {
	col, before := 0, ' '
	for _, r := range line {
		col++
		if r == '#' && (before == ' ' || before == '\t') {
			break
		}
		before = r
		if r < utf8.RuneSelf {
			continue
		}
		if found, ok := lookAlikes[r]; ok {
			return LookAlike{col, string(r), found.name, found.want}, true
		}
		if ascii := r - 0xfee0; r >= 0xff01 && r <= 0xff5e {
			return LookAlike{col, string(r), "a full-width " + string(ascii), string(ascii)}, true
		}
	}
	return LookAlike{}, false
}
