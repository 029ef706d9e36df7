package deploy

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

// Secrets are the passwords in force on a host that the cluster file does not give, and their history.
type Secrets struct {
	cluster.Secrets                       // kept, and generated ones where none is kept
	Kept            cluster.Secrets       // what secrets.json has
	Records         cluster.SecretRecords // not nil
}

// LoadSecrets reads the stored passwords; where none is stored it generates a new one, which nothing keeps until a step
// writes it.
func LoadSecrets(h *host.Host, layout cluster.Layout) (Secrets, error) {
	out := Secrets{Records: cluster.SecretRecords{}}
	fresh, err := cluster.NewSecrets(rand.Reader)
	if err != nil {
		return out, err
	}
	if out.Records, err = loadSecretRecords(h, layout); err != nil {
		return out, err
	}
	data, err := h.ReadFile(layout.Secrets())
	if errors.Is(err, fs.ErrNotExist) {
		out.Secrets = fresh
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("cannot read the stored passwords: %w", err)
	}
	if out.Kept, err = cluster.DecodeSecrets(bytes.TrimSpace(data)); err != nil {
		return out, exit.Hint(fmt.Errorf("cannot use %s: %w", layout.Secrets(), err),
			"restore the file from a backup, or move it away: then new passwords are generated,\n"+
				"and set while the database is stopped (fate-installer svc stop fate-mysql)")
	}
	out.Secrets = out.Kept.Or(fresh)
	return out, nil
}

// loadSecretRecords reads the history of the passwords. Without it nothing is lost but the dates.
func loadSecretRecords(h *host.Host, layout cluster.Layout) (cluster.SecretRecords, error) {
	data, err := h.ReadFile(layout.SecretRecords())
	if errors.Is(err, fs.ErrNotExist) {
		return cluster.SecretRecords{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the records of the passwords: %w", err)
	}
	records, err := cluster.DecodeSecretRecords(data)
	if err != nil {
		return nil, exit.Hint(fmt.Errorf("cannot use %s: %w", layout.SecretRecords(), err),
			"restore the file from a backup")
	}
	return records, nil
}
