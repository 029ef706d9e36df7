package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/peer"
)

// listener answers the other side's test as this side.
func (t *partyTest) listener(heard func(remote, what string)) *peer.Listener {
	return &peer.Listener{
		Hello: peer.Hello{Role: string(t.spec.Role), Party: t.prober.Party, Version: buildVersion()},
		Heard: heard, Now: time.Now,
		Back: func(ctx context.Context, party string) []peer.Result {
			r, ok := deploy.RouteTo(t.spec, party)
			if !ok || r.Own || r.Polling {
				return nil
			}
			return t.prober.TestOneWay(ctx, deploy.WayBy(t.spec, r, party))
		},
	}
}

// sockets opens the ports of the rollsite that is not there yet: the plain one, and the one for TLS when there are
// keys. Those that are taken are left out.
func (t *partyTest) sockets(ctx context.Context) (plain, secure net.Listener) {
	r := t.spec.Side.Rollsite
	plain, _ = listenOn(ctx, r.Port)
	if t.server != nil {
		secure, _ = listenOn(ctx, r.SecurePort)
	}
	return plain, secure
}

func listenOn(ctx context.Context, port int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", ":"+strconv.Itoa(port))
}

// standIn listens while a test runs, so that the other side gets an answer when it tests the way back.
func (t *partyTest) standIn(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	serve := func(socket net.Listener, config *tls.Config) {
		if socket != nil {
			// only the way back depends on it, and tells
			group.Go(func() { _ = t.listener(nil).Serve(ctx, socket, config) })
		}
	}
	plain, secure := t.sockets(ctx)
	serve(plain, nil)
	serve(secure, t.server)
	return func() { cancel(); group.Wait() }
}

// listen answers the other side's test until ctx ends.
func (t *partyTest) listen(ctx context.Context, port int) error {
	heard := func(remote, what string) {
		t.g.printf("%s  %s  %s\n", time.Now().Format(time.TimeOnly), remote, what)
	}
	plain, secure := net.Listener(nil), net.Listener(nil)
	if port == 0 {
		plain, secure = t.sockets(ctx)
		port = peer.TestPort
	}
	if plain == nil {
		var err error
		if plain, err = listenOn(ctx, port); err != nil {
			hint := "choose another one with --port; the other side looks at " + strconv.Itoa(peer.TestPort)
			if !errors.Is(err, syscall.EADDRINUSE) {
				hint = ""
			}
			return exit.With(exit.Hint(fmt.Errorf("cannot listen on port %d: %w", port, err), hint), exit.Usage)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	serve := func(socket net.Listener, config *tls.Config, how string) {
		t.g.printf("%s listens on %s, %s\n", t.who(), socket.Addr(), how)
		group.Go(func() {
			if err := t.listener(heard).Serve(ctx, socket, config); err != nil {
				cancel(err)
			}
		})
	}
	serve(plain, nil, "in clear text")
	if secure != nil {
		serve(secure, t.server, "with TLS")
	}
	t.g.advisef("now run fate-installer party test on the other side; Ctrl-C ends this\n")
	group.Wait()
	return context.Cause(ctx)
}
