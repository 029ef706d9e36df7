package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
)

// Handover is the file that carries changed passwords to the other hosts of a side.
type Handover struct {
	Role    cluster.Role
	Party   int
	Secrets cluster.Secrets // only the shared ones
}

// handedFile is its JSON form.
type handedFile struct {
	Schema  int               `json:"schema"`
	Role    cluster.Role      `json:"role"`
	Party   int               `json:"party"`
	Secrets map[string]string `json:"secrets"` // in clear text, by the cluster file's names
}

// handedSchema is the version of the file; a newer one is refused.
const handedSchema = 1

// HandoverLimit is far above a file with five passwords.
const HandoverLimit = 64 << 10

// Encode gives the content of the file that carries the passwords.
func (h Handover) Encode() ([]byte, error) {
	f := handedFile{Schema: handedSchema, Role: h.Role, Party: h.Party, Secrets: map[string]string{}}
	for _, name := range cluster.SecretNames() {
		if value := h.Secrets.Get(name); !value.IsZero() {
			f.Secrets[name] = value.Reveal()
		}
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode the passwords for the other hosts: %w", err)
	}
	return append(data, '\n'), nil
}

// DecodeHandover reads what [Handover.Encode] wrote. No error quotes the content.
func DecodeHandover(data []byte) (*Handover, error) {
	var f handedFile
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return nil, errors.New("it is not a file that secrets rotate wrote")
	}
	switch {
	case f.Schema != handedSchema:
		return nil, fmt.Errorf("it has schema %d, this fate-installer knows %d", f.Schema, handedSchema)
	case len(f.Secrets) == 0:
		return nil, errors.New("it has no password in it")
	}
	out := &Handover{Role: f.Role, Party: f.Party}
	for name, value := range f.Secrets {
		if !slices.Contains(cluster.SecretNames(), name) {
			return nil, fmt.Errorf("it has an unknown secret %q", name)
		}
		if err := cluster.CheckSecret(name, value); err != nil {
			return nil, err
		}
		out.Secrets.Set(name, cluster.NewSecret(value))
	}
	return out, nil
}

// fits refuses passwords of another side.
func (h *Handover) fits(spec *cluster.Spec) error {
	if h.Role == spec.Role && h.Party == spec.PartyID {
		return nil
	}
	return exit.With(fmt.Errorf(
		"cannot use these passwords here: they are those of %s of party %d, and this is %s of party %d",
		h.Role, h.Party, spec.Role, spec.PartyID), exit.Usage)
}
