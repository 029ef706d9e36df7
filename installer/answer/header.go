package answer

import (
	"encoding/binary"
	"fmt"
)

// MostColumns is MySQL's limit for the columns of a table and of an answer.
const MostColumns = 4096

// header reads how many columns the answer to a statement has, since the driver makes room for that number without a
// look at it, and a Go program that gets no memory ends. It follows the first packets of the answer, each of which
// begins with the length of its content in three bytes and a number:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response.html
type header struct {
	buf  []byte // of the packet that is being read: at most its head and the number of columns
	skip int    // what is left of a packet that says that another answer may follow
	done bool   // what comes now are columns and rows
}

// read takes the next bytes of the answer.
func (h *header) read(p []byte) error {
	for len(p) > 0 && !h.done {
		if n := min(h.skip, len(p)); n > 0 {
			h.skip, p = h.skip-n, p[n:]
			continue
		}
		h.buf, p = append(h.buf, p[0]), p[1:]
		if err := h.packet(); err != nil {
			return err
		}
	}
	return nil
}

// packet looks at the packet as far as it has come.
func (h *header) packet() error {
	const head = 4
	if len(h.buf) < head {
		return nil
	}
	size := int(h.buf[0]) | int(h.buf[1])<<8 | int(h.buf[2])<<16
	if size == 0 { // the driver refuses it
		h.done = true
		return nil
	}
	if len(h.buf) == head {
		return nil
	}
	content, n := h.buf[head:], 0
	switch content[0] {
	case 0: // no columns; another answer may follow
		h.skip, h.buf = size-1, nil
		return nil
	case 0xfc:
		n = 2
	case 0xfd:
		n = 3
	case 0xfe:
		n = 8
	default: // up to 250 columns, an error, or the request for a file, which the driver refuses
		h.done = true
		return nil
	}
	if len(content) <= n && len(content) < size {
		return nil
	}
	h.done = true
	columns := binary.LittleEndian.Uint64(append(append([]byte(nil), content[1:]...), make([]byte, 8)...))
	if columns > MostColumns {
		return &TooLargeError{Limit: fmt.Sprintf("%d columns", MostColumns)}
	}
	return nil
}
