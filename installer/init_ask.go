package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"fate-installer/installer/fate/cluster"
)

// ask puts the questions of init, each with an answer in brackets that Enter accepts.
func ask(g *globals, in *cluster.InitOptions) error {
	q := &questions{g: g, in: bufio.NewScanner(g.Stdin), out: g.Stderr}
	for _, party := range []struct {
		role   cluster.Role
		target **cluster.InitSide
	}{{cluster.RoleHost, &in.Host}, {cluster.RoleGuest, &in.Guest}} {
		if err := q.side(party.role,
			fmt.Sprintf("party id and address of the %s, for example 10000:192.168.0.1; blank for none", party.role),
			party.target); err != nil {
			return err
		}
	}
	if err := q.side(cluster.RoleExchange, "address of the exchange; blank for none", &in.Exchange); err != nil {
		return err
	}
	for _, s := range []*cluster.InitSide{in.Host, in.Guest} {
		if s == nil {
			continue
		}
		flows, err := q.answer(fmt.Sprintf(
			"FATE-Flow addresses of party %d; several give high availability", s.Party), strings.Join(s.IPs, ","))
		if err != nil {
			return err
		}
		s.Flows = strings.Split(flows, ",")
	}
	tls, err := q.answer("the two roles that use TLS with each other; blank for none", "")
	if err != nil || tls == "" {
		return err
	}
	for _, name := range strings.Split(tls, ",") {
		role, err := cluster.ParseRole(strings.TrimSpace(name))
		if err != nil {
			return err
		}
		in.TLS = append(in.TLS, role)
	}
	return nil
}

// questions asks on the terminal's error stream, so that the file can go to standard output.
type questions struct {
	g   *globals
	in  *bufio.Scanner
	out io.Writer
}

func (q *questions) side(role cluster.Role, question string, target **cluster.InitSide) error {
	for {
		text, err := q.answer(question, "")
		if err != nil || text == "" {
			return err
		}
		side, err := cluster.ParseInitSide(role, text)
		if err == nil {
			*target = side
			return nil
		}
		fmt.Fprintln(q.out, q.g.text(err.Error()))
	}
}

func (q *questions) answer(question, standard string) (string, error) {
	fmt.Fprintf(q.out, "%s [%s]: ", q.g.text(question), standard)
	some, err := input(q.g, func() (bool, error) { return q.in.Scan(), nil })
	if err != nil {
		return "", err
	}
	if !some {
		return "", errors.Join(errors.New("cannot go on without an answer"), q.in.Err())
	}
	text := strings.ReplaceAll(strings.TrimSpace(q.in.Text()), " ", "")
	if text == "" {
		return standard, nil
	}
	return text, nil
}
