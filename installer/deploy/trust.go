package deploy

import (
	"fmt"

	"fate-installer/payload"
)

// Trust is whose appliances an installation accepts. It is kept with what is installed, where only root can write.
type Trust struct {
	Key      string `json:"key"`                // public key in minisign's text form, RWQ...
	Revision int64  `json:"revision,omitempty"` // of the signed appliance that was installed last
}

// revisionOf returns the revision that an installation must accept from a key: revisions of different makers cannot be
// compared.
func (t *Trust) revisionOf(key string) Trust {
	if t != nil && t.Key == key {
		return *t
	}
	return Trust{Key: key}
}

// PublicKey returns the key, or nil when there is none. What is kept is a key's text, never the name of a file with
// one.
func (t Trust) PublicKey() (*payload.PublicKey, error) {
	if t.Key == "" {
		return nil, nil
	}
	var key payload.PublicKey
	if err := key.UnmarshalText([]byte(t.Key)); err != nil {
		return nil, fmt.Errorf("cannot use the public key %q that is kept with the installation: %w", t.Key, err)
	}
	return &key, nil
}
