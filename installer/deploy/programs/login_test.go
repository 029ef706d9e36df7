package programs

import (
	"context"
	"errors"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
)

// TestStartEndsWhenTheDatabaseRefusesItsPassword: the start of the database server is not waited for to the end of its
// time when a login shows that it can never become ready.
func TestStartEndsWhenTheDatabaseRefusesItsPassword(t *testing.T) {
	refusal := &refusedLoginError{"probe.cnf", errors.New("Access denied")}
	for _, tt := range []struct {
		name, program string
		refused       bool
	}{
		{"refused", cluster.MySQL.Program(), true},
		{"not ready yet", cluster.MySQL.Program(), false},
		{"another program", cluster.Rollsite.Program(), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			looks := 0
			s := &services{login: func(context.Context) error {
				if looks++; tt.refused {
					return refusal
				}
				return nil
			}}
			wait := func(ctx context.Context) error {
				if !tt.refused || tt.program != cluster.MySQL.Program() {
					return nil // it got ready
				}
				<-ctx.Done()
				return context.Cause(ctx)
			}
			err := s.unlessRefused(t.Context(), []string{tt.program}, wait)
			if want := tt.refused && tt.program == cluster.MySQL.Program(); errors.Is(err, refusal) != want ||
				(err != nil) != want {
				t.Errorf("%v, want a refusal: %v", err, want)
			}
			if tt.program != cluster.MySQL.Program() && looks > 0 {
				t.Error("the database was asked for another program")
			}
		})
	}
	for _, want := range []string{"svc stop fate-mysql", "secrets rotate mysql_root"} {
		if !strings.Contains(refusal.Hint(), want) {
			t.Errorf("no %q in the way out: %s", want, refusal.Hint())
		}
	}
}
