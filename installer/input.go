package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/problem"
)

// useWrittenBase takes the base directory from the cluster files when there is no --base: where the installation is
// has to be known before anything of it is read.
func (g *globals) useWrittenBase(given bool) error {
	if given || len(g.Config) == 0 {
		return nil
	}
	sources, err := readSources(g)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	switch base := deploy.WrittenInstall(sources).Base; {
	case base == "":
	case !filepath.IsAbs(base):
		return exit.With(fmt.Errorf("cannot use the base directory %q of the cluster file: it is not an absolute path",
			base), exit.Usage)
	default:
		g.Base = filepath.Clean(base)
	}
	return nil
}

// readSources reads --config, once: files, every file of a directory, or standard input.
func readSources(g *globals) ([]deploy.Source, error) {
	if g.sources != nil {
		return g.sources, nil
	}
	var sources []deploy.Source
	for _, name := range g.Config {
		if name == "-" {
			data, err := input(g,
				func() ([]byte, error) { return problem.ReadAll(g.Stdin, problem.ClusterLimits.Bytes) })
			if err != nil {
				return nil, fmt.Errorf("cannot read the cluster file from standard input: %w", err)
			}
			sources = append(sources, deploy.Source{Name: "-", Data: string(data)})
			continue
		}
		files, err := input(g, func() ([]deploy.Source, error) { return readConfigFiles(name) })
		if err != nil {
			return nil, err
		}
		sources = append(sources, files...)
	}
	g.sources = sources
	return sources, nil
}

// readConfigFiles reads a cluster file, or every file of a directory.
func readConfigFiles(name string) ([]deploy.Source, error) {
	files, err := configFiles(name)
	if err != nil {
		return nil, err
	}
	var sources []deploy.Source
	for _, file := range files {
		data, err := problem.ReadFile(file, problem.ClusterLimits.Bytes)
		if err != nil {
			return nil, fmt.Errorf("cannot read the cluster file: %w", err)
		}
		sources = append(sources, deploy.Source{Name: file, Data: string(data)})
	}
	return sources, nil
}

// configFiles lists a directory's visible files in order; a file is itself.
func configFiles(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the cluster file: %w", err)
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the cluster files: %w", err)
	}
	var files []string
	for _, entry := range entries {
		if entry.Type().IsRegular() && !strings.HasPrefix(entry.Name(), ".") {
			files = append(files, filepath.Join(name, entry.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("cannot find a cluster file in directory %s", name)
	}
	return files, nil
}

// input reads what a person or another program gives: standard input, a terminal, or a file that may be a pipe. It may
// wait for that for ever, so a signal ends the wait. The read itself goes on; the command is at its end then.
func input[T any](g *globals, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	got := make(chan result, 1)
	go func() {
		v, err := read()
		got <- result{v, err}
	}()
	select {
	case r := <-got:
		return r.value, r.err
	case <-g.interrupted:
		var none T
		return none, fmt.Errorf("interrupted: %w", context.Canceled)
	}
}
