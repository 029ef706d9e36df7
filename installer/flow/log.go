package flow

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"path"
	"strings"
)

// LogLine is a line of a job's log.
type LogLine struct {
	File string // path below the job's log directory, such as guest/9999/reader_0/ERROR.log
	Text string
}

// Logs downloads what an instance has of a job's logs, and returns the lines that keep accepts of the files that want
// accepts. Each instance has the logs of the tasks that it ran itself, and of the jobs that it scheduled.
func (c *Client) Logs(ctx context.Context, job string, want func(file string) bool,
	keep func(line string) bool) ([]LogLine, error) {
	const endpoint = "/v1/job/log/download"
	resp, err := c.post(ctx, endpoint, map[string]any{"job_id": job})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		_, err := decodeReply(endpoint, resp)
		if err == nil {
			err = fmt.Errorf("cannot download the log of job %s: fate_flow sent no archive", job)
		}
		return nil, err
	}
	return scanLogs(resp.Body, want, keep)
}

// LogLines returns the lines that keep accepts of the log files of one role, with the name of the file (such as
// INFO.log) each is from. These files repeat what the components of the role log.
func (c *Client) LogLines(ctx context.Context, job, role string, party int, keep func(line string) bool) ([]string,
	error) {
	dir := path.Join(role, fmt.Sprint(party))
	found, err := c.Logs(ctx, job, func(file string) bool { return isIn(file, dir) }, keep)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, l := range found {
		lines = append(lines, path.Base(l.File)+": "+l.Text)
	}
	return lines, nil
}

// isIn reports whether a file of an archive is in a directory that is, or ends with, dir.
func isIn(file, dir string) bool {
	parent := path.Dir(file)
	return parent == dir || strings.HasSuffix(parent, "/"+dir)
}

// Bounds of what is kept of an archive: what is in it comes from the service user, and from other parties.
const (
	mostLogLines   = 20_000
	mostLogBytes   = 16 << 20
	longestLogLine = 64 << 10 // bytes; longer lines are cut
)

// scanLogs reads a tar.gz of log files.
func scanLogs(archive io.Reader, want func(file string) bool, keep func(line string) bool) ([]LogLine, error) {
	unzipped, err := gzip.NewReader(archive)
	if err != nil {
		return nil, fmt.Errorf("cannot read the job's log archive: %w", err)
	}
	var lines []LogLine
	size := 0
	for members := tar.NewReader(unzipped); ; {
		header, err := members.Next()
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the job's log archive: %w", err)
		}
		file := path.Clean(header.Name)
		if header.Typeflag != tar.TypeReg || !want(file) {
			continue
		}
		for r := bufio.NewReaderSize(members, longestLogLine); len(lines) < mostLogLines && size < mostLogBytes; {
			line, err := readLogLine(r)
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("cannot read %s in the job's log archive: %w", header.Name, err)
			}
			if keep(line) {
				lines = append(lines, LogLine{file, line})
				size += len(line)
			}
		}
	}
}

// readLogLine reads a line without its end, of a long one the beginning.
func readLogLine(r *bufio.Reader) (string, error) {
	part, more, err := r.ReadLine()
	if err != nil {
		return "", err
	}
	line := string(part)
	for more {
		if _, more, err = r.ReadLine(); err != nil {
			return line, nil // the next call meets the error again
		}
	}
	return line, nil
}
