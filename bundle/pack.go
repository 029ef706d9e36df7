package bundle

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"fate-installer/payload"
)

// packed is a component whose sources have been merged and that waits to be written.
type packed struct {
	index int
	described
	tree *tree
}

// pack gives every component to the writer, in the order of the lock. While one is compressed the sources of the next
// are read, since reading is slow too when they are xz or bzip2; so at most two components are set aside on the disk.
func (b *builder) pack(ctx context.Context, w *payload.Writer) error {
	g, ctx := errgroup.WithContext(ctx)
	ready := make(chan *packed)
	g.Go(func() error {
		defer close(ready)
		return b.mergeAll(ctx, ready)
	})
	g.Go(func() error {
		for p := range ready {
			if err := b.store(ctx, w, p); err != nil {
				return fmt.Errorf("cannot pack component %s: %w", p.Name, err)
			}
		}
		return ctx.Err()
	})
	return g.Wait()
}

// mergeAll gives the components to ready in the order of the lock. The component python is merged first when its
// interpreter is to compile the code of others, and then waits for its turn.
func (b *builder) mergeAll(ctx context.Context, ready chan<- *packed) (err error) {
	compiler, python, err := b.startCompiler(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if python != nil {
			python.tree.spool.close()
		}
		err = errors.Join(err, compiler.close())
	}()
	for i, c := range b.lock.Components {
		p := python
		if p != nil && p.index == i {
			python = nil
		} else if p, err = b.mergeNamed(ctx, i); err != nil {
			return err
		}
		if compiler != nil && compilable(c) {
			var files int
			if files, err = compiler.add(ctx, p.tree); err != nil {
				p.tree.spool.close()
				return fmt.Errorf("cannot pack component %s: %w", c.Name, err)
			}
			b.result.Compiled += files
		}
		select {
		case ready <- p:
		case <-ctx.Done():
			p.tree.spool.close()
			return ctx.Err()
		}
	}
	return nil
}

func (b *builder) mergeNamed(ctx context.Context, index int) (*packed, error) {
	p, err := b.merge(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("cannot pack component %s: %w", b.lock.Components[index].Name, err)
	}
	return p, nil
}

// merge reads the sources of a component into one tree, which owns a spool that the caller closes.
func (b *builder) merge(ctx context.Context, index int) (p *packed, err error) {
	c := &b.lock.Components[index]
	s, err := newSpool(b.spoolDir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	p = &packed{index: index, tree: newTree(s), described: described{
		Component: payload.Component{
			Name: c.Name, Version: c.Version, License: c.License, Platform: c.platform(b.lock.Release),
			StandIn: c.StandIn,
		},
		packages: map[string]debInfo{},
	}}
	if p.Platform == PlatformAny {
		p.Platform = ""
	}
	for i := range c.Sources {
		got, err := b.read(ctx, p, c, &c.Sources[i])
		if err != nil {
			return nil, err
		}
		p.Origins = append(p.Origins, originOf(&c.Sources[i], got))
	}
	if err := p.tree.finish(c); err != nil {
		return nil, err
	}
	if err := p.tree.checkServer(c); err != nil {
		return nil, err
	}
	p.tree.warnBoardPage(c)
	if p.Needs, p.LibraryPath, err = p.tree.link(c, p.Component.Platform); err != nil {
		return nil, err
	}
	return p, b.addTemplate(ctx, p, c)
}

// store writes a component and forgets what was set aside of it.
func (b *builder) store(ctx context.Context, w *payload.Writer, p *packed) error {
	defer p.tree.spool.close()
	for _, warning := range p.tree.warnings {
		b.result.Warnings = append(b.result.Warnings, p.Name+": "+warning)
	}
	r, out := io.Pipe()
	written := make(chan error, 1)
	go func() {
		buffered := bufio.NewWriterSize(out, 1<<20)
		err := p.tree.writeTar(ctx, buffered, func(done, total int64) { b.progress.packed(p.index, done, total) })
		if err == nil {
			err = buffered.Flush()
		}
		out.CloseWithError(err)
		written <- err
	}()
	err := w.AddComponent(ctx, p.Component, r)
	r.CloseWithError(err) // ends the other side if not all was read
	if writeErr := <-written; err == nil {
		err = writeErr
	}
	b.components = append(b.components, p.described)
	return err
}

// originOf records a source in the manifest: its name without the directories of the machine it was built on.
func originOf(s *Source, got payload.Blob) payload.Origin {
	o := payload.Origin{Name: s.baseName(), Size: got.Size, SHA256: got.SHA256}
	if s.Member != "" {
		o.Name = filepath.Base(s.Path) + "!" + s.Member
	}
	if len(s.URL) > 0 {
		o.URL = s.URL[0]
	}
	return o
}
