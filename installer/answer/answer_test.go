package answer

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// hostile is a server of MySQL's protocol that lets everybody in, and answers every query with what it was made for.
type hostile struct {
	conn net.Conn
	out  *bufio.Writer
	seq  byte
}

// packet sends a packet, or a part of one that goes on when it has the full length.
func (h *hostile) packet(body []byte) error {
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	head[3] = h.seq
	h.seq++
	_, err := h.out.Write(append(head, body...))
	return err
}

// receive reads a packet of the client's.
func (h *hostile) receive() ([]byte, error) {
	var head [4]byte
	if err := h.out.Flush(); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(h.conn, head[:]); err != nil {
		return nil, err
	}
	h.seq = head[3] + 1
	body := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	_, err := io.ReadFull(h.conn, body)
	return body, err
}

var (
	okPacket  = []byte{0, 0, 0, 2, 0, 0, 0}
	endPacket = []byte{0xfe, 0, 0, 2, 0}
)

// serve is one connection.
func (h *hostile) serve(answer func(*hostile) error) {
	defer h.conn.Close()
	// the version, then the connection, salt, what the server can do, and the rest of the salt
	greeting := "\x0a8.0.15\x00" +
		"\x01\x00\x00\x0012345678\x00\xff\xf7\x21\x02\x00\xff\x80\x15" + strings.Repeat("\x00", 10) +
		"123456789012\x00mysql_native_password\x00"
	if h.packet([]byte(greeting)) != nil {
		return
	}
	if _, err := h.receive(); err != nil || h.packet(okPacket) != nil {
		return
	}
	for {
		request, err := h.receive()
		switch {
		case err != nil || request[0] == 1: // COM_QUIT
			return
		case request[0] == 3 && bytes.HasPrefix(request[1:], []byte("SELECT")):
			err = answer(h)
		default:
			err = h.packet(okPacket)
		}
		if err != nil {
			return
		}
	}
}

// columns begins an answer whose rows have one column.
func (h *hostile) columns() error {
	text := func(s string) string { return string(rune(len(s))) + s }
	column := text("def") + text("") + text("") + text("") + text("name") + text("") +
		"\x0c\x21\x00\xff\x00\x00\x00\xfd\x00\x00\x00\x00\x00"
	return errors.Join(h.packet([]byte{1}), h.packet([]byte(column)), h.packet(endPacket))
}

// rowsOf answers with that many rows of one column.
func rowsOf(n int, cell string) func(*hostile) error {
	return func(h *hostile) error {
		if err := h.columns(); err != nil {
			return err
		}
		row := []byte(cell)
		if len(cell) > 250 { // the length has two bytes then
			row = append([]byte{0xfc, byte(len(cell)), byte(len(cell) >> 8)}, row...)
		} else {
			row = append([]byte{byte(len(cell))}, row...)
		}
		for range n {
			if err := h.packet(row); err != nil {
				return err
			}
		}
		return h.packet(endPacket)
	}
}

// endlessRow answers with a row of packets of the full length that never ends.
func endlessRow(h *hostile) error {
	if err := h.columns(); err != nil {
		return err
	}
	part := bytes.Repeat([]byte{0xfe, 0xff, 0xff, 0xff}, (1<<24)/4)[:1<<24-1]
	for {
		if err := h.packet(part); err != nil {
			return err
		}
	}
}

// manyColumns says that the answer has n columns, for which there may be no memory, or no memory of any machine.
func manyColumns(n uint64) func(*hostile) error {
	return func(h *hostile) error { return h.packet(binary.LittleEndian.AppendUint64([]byte{0xfe}, n)) }
}

// cutOff ends within the number of columns.
func cutOff(h *hostile) error { return h.packet([]byte{0xfe, 0xff}) }

// afterwards sends a result without columns, which says that another follows, and then that one.
func afterwards(next func(*hostile) error) func(*hostile) error {
	return func(h *hostile) error {
		if err := h.packet([]byte{0, 0, 0, 10, 0, 0, 0}); err != nil { // 8 is "more results exist"
			return err
		}
		return next(h)
	}
}

// slowly sends what was written a byte at a time.
func slowly(answer func(*hostile) error) func(*hostile) error {
	return func(h *hostile) error {
		out := h.out
		defer func() { h.out = out }()
		h.out = bufio.NewWriter(byBytes{h.conn})
		return errors.Join(answer(h), h.out.Flush())
	}
}

// byBytes writes a byte at a time.
type byBytes struct{ io.Writer }

// Write implements [io.Writer].
func (w byBytes) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := w.Writer.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// database connects to a hostile server.
func database(t *testing.T, answer func(*hostile) error) *sql.DB {
	t.Helper()
	return served(t, 0, func(c net.Conn) { (&hostile{conn: c, out: bufio.NewWriter(c)}).serve(answer) })
}

// served connects to a server that serves a connection this way.
func served(t *testing.T, limit time.Duration, serve func(net.Conn)) *sql.DB {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr = "root", "tcp", listener.Addr().String()
	config.Logger = &mysql.NopLogger{}
	bound := Bound{limit: limit}
	bound.Configure(config)
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := bound.Open(connector)
	t.Cleanup(func() { _ = errors.Join(db.Close(), listener.Close()) })
	return db
}

// list reads an answer as the readers do.
func list(db *sql.DB) (n int, err error) {
	rows, err := db.QueryContext(context.Background(), "SELECT name FROM t WHERE x = ?", "y")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return n, err
		}
		n++
	}
	return n, rows.Err()
}

func TestAnswerWithinLimits(t *testing.T) {
	db := database(t, rowsOf(1000, "abc"))
	for range 3 {
		if n, err := list(db); n != 1000 || err != nil {
			t.Fatalf("%d rows, %v", n, err)
		}
	}
	if _, err := db.Exec("UPDATE t SET x = ?", 1); err != nil {
		t.Error(err)
	}
	var name string
	if err := db.QueryRow("SELECT name FROM t").Scan(&name); err != nil || name != "abc" {
		t.Errorf("%q, %v", name, err)
	}
}

// Statements are counted each for itself: a connection may live long.
func TestManyAnswersOfOneConnection(t *testing.T) {
	const perAnswer, size = 100, 60_000
	db := database(t, rowsOf(perAnswer, strings.Repeat("x", size)))
	for range MostBytes/(perAnswer*size) + 2 {
		if n, err := list(db); n != perAnswer || err != nil {
			t.Fatalf("%d rows, %v", n, err)
		}
	}
}

// An answer that is too large is refused with a sentence, and the connection does not take the rest of it.
func TestHostileAnswers(t *testing.T) {
	const columns = "the database server sent more than 4096 columns in answer to one statement"
	for name, c := range map[string]struct {
		answer func(*hostile) error
		want   string
	}{
		"rows": {rowsOf(1<<40, "abc"),
			"the database server sent more than 200000 rows in answer to one statement"},
		"endless row": {endlessRow, "the database server sent more than 32 MiB in answer to one statement"},
		"columns":     {manyColumns(1 << 62), columns},
		"terabytes":   {manyColumns(1 << 40), columns},
		"gigabytes":   {manyColumns(1 << 25), columns},
		"slowly":      {slowly(manyColumns(1 << 40)), columns},
		"cut off":     {cutOff, "cannot understand the answer of the database server"},
		"second":      {afterwards(manyColumns(1 << 40)), columns},
	} {
		t.Run(name, func(t *testing.T) {
			db := database(t, c.answer)
			for range 2 {
				if n, err := list(db); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("after %d rows: %v", n, err)
				}
			}
			if name == "rows" { // one of them is enough here, and all that are within the limit of bytes take long
				return
			}
			var one string
			err := db.QueryRow("SELECT 1").Scan(&one)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("one row: %v", err)
			}
		})
	}
}

// A server that accepts a connection and says nothing, or half of a greeting, keeps no command of root's.
func TestSilentServer(t *testing.T) {
	for _, greeting := range []string{"", "\x40\x00\x00\x00\x0a8.0.15\x00"} {
		ended := make(chan struct{})
		db := served(t, 200*time.Millisecond, func(c net.Conn) {
			defer c.Close()
			_, _ = io.WriteString(c, greeting)
			<-ended
		})
		if _, err := list(db); err == nil || !strings.Contains(err.Error(), "does not complete a login within 200ms") {
			t.Errorf("after %q: %v", greeting, err)
		}
		close(ended)
	}
}

// The bytes of an answer may come in any portions, and what looks like a number of columns in a row is none.
func TestHeader(t *testing.T) {
	ok := "\x07\x00\x00\x01\x00\x00\x00\x0a\x00\x00\x00"
	for name, c := range map[string]struct {
		answer string
		refuse bool
	}{
		"one column":        {"\x01\x00\x00\x01\x01" + "\x09\x00\x00\x02\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", false},
		"most columns":      {"\x03\x00\x00\x01\xfc\x00\x10", false},
		"one more":          {"\x03\x00\x00\x01\xfc\x01\x10", true},
		"three bytes":       {"\x04\x00\x00\x01\xfd\x00\x00\x01", true},
		"three small bytes": {"\x04\x00\x00\x01\xfd\x02\x00\x00", false},
		"eight bytes":       {"\x09\x00\x00\x01\xfe\x00\x00\x00\x00\x00\x00\x00\x80", true},
		"bytes after them":  {"\x0a\x00\x00\x01\xfe\x00\x00\x00\x00\x00\x01\x00\x00\x01", true},
		"after results":     {ok + ok + "\x09\x00\x00\x03\xfe\x00\x00\x00\x00\x00\x01\x00\x00", true},
		"error":             {"\x09\x00\x00\x01\xff\x00\x00\x00\x00\x00\x01\x00\x00", false},
		"empty":             {"\x00\x00\x00\x01" + "\x09\x00\x00\x01\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", false},
		"cut off":           {"\x02\x00\x00\x01\xfe\xff", false},
	} {
		for portion := 1; portion <= len(c.answer); portion++ {
			var h header
			var err error
			for part := range slices.Chunk([]byte(c.answer), portion) {
				if err = h.read(part); err != nil {
					break
				}
			}
			if (err != nil) != c.refuse {
				t.Errorf("%s in portions of %d: %v", name, portion, err)
			}
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("\x09\x00\x00\x01\xfe\x00\x00\x00\x00\x00\x01\x00\x00"), 3)
	f.Fuzz(func(t *testing.T, data []byte, portion int) {
		var whole, parts header
		err := whole.read(data)
		var partsErr error
		for part := range slices.Chunk(data, 1+portion&0xff) {
			if partsErr = parts.read(part); partsErr != nil {
				break
			}
		}
		if (err == nil) != (partsErr == nil) || whole.done != parts.done || len(whole.buf) > 16 {
			t.Errorf("at once %v, %v; in portions %v, %v; %d bytes are kept", whole.done, err, parts.done,
				partsErr, len(whole.buf))
		}
	})
}
