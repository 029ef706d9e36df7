// Command deblock fetches Debian packages and writes the lock file of an appliance made of them. Versions, sizes and
// digests are those of apt's package lists, whose signature apt has checked.
//
//	go run ./scripts/deblock -dir DIR jdk=openjdk-17-jre-headless nginx=nginx,nginx-common
//	bin/fate-installer bundle build --lock DIR/debian.lock.yaml --out FILE
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"fate-installer/bundle"
	"fate-installer/payload"
	"fate-installer/scripts/debian"
)

func main() {
	dir := flag.String("dir", ".", "`directory` for debian.lock.yaml, and for the packages below it")
	release := flag.String("release", "0", "`version` that the appliance is called")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: deblock [flags] COMPONENT=PACKAGE[,PACKAGE]... ...")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	file, err := lock(ctx, *dir, *release, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	fmt.Println("wrote", file)
}

// wanted is one argument: a component and its packages.
type wanted struct {
	component string
	packages  []string
}

func parse(args []string) (list []wanted, names []string, err error) {
	for _, arg := range args {
		component, packages, ok := strings.Cut(arg, "=")
		if !ok || component == "" || packages == "" {
			return nil, nil, fmt.Errorf("cannot use %q: it is COMPONENT=PACKAGE[,PACKAGE]", arg)
		}
		w := wanted{component, strings.Split(packages, ",")}
		list = append(list, w)
		names = append(names, w.packages...)
	}
	if len(list) == 0 {
		return nil, nil, errors.New(
			"cannot write a lock file of nothing: name a component and its packages (-h tells how)")
	}
	return list, names, nil
}

// lock fetches the packages below dir and writes the lock file there.
func lock(ctx context.Context, dir, release string, args []string) (file string, err error) {
	const store = "debs"
	list, names, err := parse(args)
	if err != nil {
		return "", err
	}
	found, err := debian.Resolve(ctx, names)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(dir, store), 0o755); err != nil {
		return "", fmt.Errorf("cannot make room for packages: %w", err)
	}
	if err := debian.Download(ctx, filepath.Join(dir, store), found); err != nil {
		return "", err
	}
	l := bundle.Lock{Release: payload.Release{FATE: release, Platform: "linux/" + runtime.GOARCH}}
	for _, w := range list {
		var packages []debian.Package
		for _, name := range w.packages {
			packages = append(packages, found[name])
		}
		l.Components = append(l.Components, debian.Component(w.component, store, packages))
	}
	file = filepath.Join(dir, "debian.lock.yaml")
	text := l.Encode("Made of Debian packages. The digests come from apt's signed package lists.")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return "", fmt.Errorf("cannot write the lock file: %w", err)
	}
	return file, nil
}
