package main

import (
	"context"
	"io"

	"fate-installer/bundle"
	"fate-installer/installer/database"
	"fate-installer/installer/host"
)

// makeTemplate has the database server of a component make the data directory that hosts copy. It is made without
// options, as hosts make theirs: a host whose option file asks for another format does not use it.
func makeTemplate(ctx context.Context, r bundle.TemplateRequest, out io.Writer) error {
	h, err := host.New("/", nil)
	if err != nil {
		return err
	}
	defer h.Close()
	s := database.Server{Flavour: database.Flavour(r.Component), Home: r.Tree, Program: r.Program, Data: r.Dir,
		LibraryPath: r.LibraryPath}
	return s.WriteTemplate(ctx, h, nil, out)
}
