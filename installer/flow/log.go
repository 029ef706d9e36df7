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
func (c *Client) Logs(ctx context.Context, job string, want func(file string) bool, keep func(line string) bool) ([]LogLine, error) {
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

// LogLines returns the lines that keep accepts of the log files of one role, with the name of the file (such as INFO.log)
// each is from. These files repeat what the components of the role log.
func (c *Client) LogLines(ctx context.Context, job, role string, party int, keep func(line string) bool) ([]string, error) {
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

// mostLogLines bounds what is kept of an archive.
const mostLogLines = 20_000

// scanLogs reads a tar.gz of log files.
func scanLogs(archive io.Reader, want func(file string) bool, keep func(line string) bool) ([]LogLine, error) {
	unzipped, err := gzip.NewReader(archive)
	if err != nil {
		return nil, fmt.Errorf("cannot read the job's log archive: %w", err)
	}
	var lines []LogLine
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
		scanner := bufio.NewScanner(members)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() && len(lines) < mostLogLines {
			if keep(scanner.Text()) {
				lines = append(lines, LogLine{file, scanner.Text()})
			}
		}
		if err := scanner.Err(); err != nil {
			return nil, fmt.Errorf("cannot read %s in the job's log archive: %w", header.Name, err)
		}
	}
}
