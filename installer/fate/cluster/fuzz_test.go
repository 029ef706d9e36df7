package cluster_test

import (
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

func FuzzStoredSecrets(f *testing.F) {
	data, err := fatetest.FixedSecrets.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := cluster.DecodeSecrets(data)
		if err != nil {
			return
		}
		again, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := cluster.DecodeSecrets(again)
		if err != nil || !back.MySQLUser.Equal(s.MySQLUser) || !back.FateBoardAdmin.Equal(s.FateBoardAdmin) {
			t.Errorf("%q comes back as %q: %v", s.MySQLUser.Reveal(), back.MySQLUser.Reveal(), err)
		}
	})
}
