package deploy

import (
	"encoding/json"
	"strings"
	"testing"

	"fate-installer/installer/backup"
	"fate-installer/installer/fate/cluster"
)

// sealedSite is a stored site as a backup has it.
func sealedSite(t *testing.T, s *Site) *backup.Sealed {
	t.Helper()
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return &backup.Sealed{Site: json.RawMessage(data)}
}

// TestRestoredSite asks for the installation that the backup is of, at its address or at another one.
func TestRestoredSite(t *testing.T) {
	stored := storedSite()
	stored.Sources = []Source{{Name: "c.yaml", Data: "host:\n  partyid: 10000\n  ips: [192.168.0.1,192.168.0.10]\n" +
		"  x: 1192.168.0.1\n  y: 192.168.0.1.example\n  z: \"192.168.0.1:9370\"\n192.168.0.1"}}
	got, err := RestoredSite(sealedSite(t, stored), "")
	if err != nil || got.IP != "192.168.0.1" || got.Role != "host" || got.Party != 10000 || got.Peer != stored.Peer ||
		got.Sources[0] != stored.Sources[0] || got.Components != nil || got.Waivers != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = RestoredSite(sealedSite(t, stored), "10.1.2.3")
	want := "host:\n  partyid: 10000\n  ips: [10.1.2.3,192.168.0.10]\n" +
		"  x: 1192.168.0.1\n  y: 192.168.0.1.example\n  z: \"10.1.2.3:9370\"\n10.1.2.3"
	if err != nil || got.IP != "10.1.2.3" || got.Sources[0].Data != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if strings.Contains(stored.Sources[0].Data, "10.1.2.3") {
		t.Error("the stored site was changed")
	}
	newer := storedSite()
	newer.Schema = SiteSchema + 1
	if _, err := RestoredSite(sealedSite(t, newer), ""); err == nil {
		t.Error("a newer site was accepted")
	}
	if _, err := RestoredSite(&backup.Sealed{Site: json.RawMessage("[]")}, ""); err == nil {
		t.Error("something else was accepted")
	}
}

// TestRefuseBackup refuses a backup of another party, role or release, with the reason.
func TestRefuseBackup(t *testing.T) {
	d := &Deployment{spec: &cluster.Spec{Role: "host", PartyID: 10000}, site: *storedSite()}
	fits := backup.Manifest{Role: "host", Party: 10000, FATE: "1.11.4"}
	if err := d.RefuseBackup(&fits); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*backup.Manifest){
		"guest of party 10000": func(m *backup.Manifest) { m.Role = "guest" },
		"host of party 9999":   func(m *backup.Manifest) { m.Party = 9999 },
		"FATE 1.10.0":          func(m *backup.Manifest) { m.FATE = "1.10.0" },
	} {
		other := fits
		change(&other)
		if err := d.RefuseBackup(&other); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
}

// TestRestoredSecrets hands over what the backup has, and nothing where it has none.
func TestRestoredSecrets(t *testing.T) {
	none, err := RestoredSecrets(&backup.Sealed{})
	if err != nil || len(RestoredKeys(&backup.Sealed{}, "f").Name) > 0 {
		t.Errorf("%v, %v", none, err)
	}
	s := &backup.Sealed{Secrets: json.RawMessage(`{"mysql_root":"correct"}`),
		Keys: map[string][]byte{"b.pem": []byte("2"), "a.pem": []byte("1")}}
	secrets, err := RestoredSecrets(s)
	if err != nil || secrets.MySQLRoot.Reveal() != "correct" {
		t.Errorf("%v, %v", secrets, err)
	}
	files, err := RestoredKeys(s, "f").Read()
	if err != nil || len(files) != 2 || files[0].Name != "a.pem" || string(files[1].Content) != "2" {
		t.Errorf("%v, %v", files, err)
	}
}
