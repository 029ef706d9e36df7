package count

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseBytes reads a size such as 700M or 4G, in binary units as dd and split take them; nothing is 0.
func ParseBytes(s string) (int64, error) {
	text := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I")
	if text == "" {
		return 0, nil
	}
	shift := 10 * (1 + strings.IndexByte("KMGT", text[len(text)-1]))
	if shift > 0 {
		text = text[:len(text)-1]
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > (1<<62)>>shift {
		return 0, fmt.Errorf("%q is not a size like 700M or 4G", s)
	}
	return n << shift, nil
}
