package registry

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// maxAnswer bounds the answer to a four-letter word, which is a few hundred bytes.
const maxAnswer = 64 << 10

// ServerMode asks one server what it is at the moment: leader, follower or standalone. A server that runs but serves
// no client, because there is no quorum, is an error.
func ServerMode(ctx context.Context, addr string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if until, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(until) // without it the caller waits longer, and that is all
	}
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return "", fmt.Errorf("cannot ask the ZooKeeper at %s: %w", addr, err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("cannot read the answer of the ZooKeeper at %s: %w", addr, err)
	}
	return parseMode(string(answer))
}

func parseMode(answer string) (string, error) {
	for line := range strings.Lines(answer) {
		if mode, ok := strings.CutPrefix(line, "Mode: "); ok {
			return strings.TrimSpace(mode), nil
		}
	}
	if answer = strings.TrimSpace(answer); strings.Contains(answer, "not currently serving") {
		return "", fmt.Errorf(
			"it runs, but serves no client: it cannot reach enough of the other ZooKeepers for a majority")
	} else if answer != "" {
		return "", fmt.Errorf("it answers %q", answer[:min(len(answer), 120)])
	}
	return "", fmt.Errorf("it closes the connection without an answer")
}

// AskTimeout is enough for one question to one server.
const AskTimeout = 3 * time.Second
