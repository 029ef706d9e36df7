package cluster

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
)

const redacted = "[redacted]"

// Secret is a password or key that shows itself only to Reveal. Printing, logging or marshalling it, alone or inside
// any structure, gives a fixed text. The value is behind a pointer because fmt prints unexported fields without asking
// their String method.
type Secret struct{ value *string }

// NewSecret wraps a clear text. The empty text is the zero Secret.
func NewSecret(clear string) Secret {
	if clear == "" {
		return Secret{}
	}
	return Secret{&clear}
}

// Reveal gives the clear text. Only encoders of files that must contain it, and connections that send it, call it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no value.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal compares values.
func (s Secret) Equal(o Secret) bool { return s.Reveal() == o.Reveal() }

// String hides the value.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return fmt.Sprintf("cluster.Secret(%q)", s.String()) }

// MarshalText hides the value from encoding/json, zerolog's Interface and every other text encoder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Secrets are the passwords of one side that an operator may leave to us. Those of a side that spans several
// hosts have to be the same everywhere and therefore come from its cluster file.
type Secrets struct {
	MySQLRoot      Secret // database administrator
	MySQLUser      Secret // what clustermanager and FATE-Flow log in with
	ZooKeeper      Secret // digest ACL of FATE-Flow's registrations
	RouteTableKey  Secret // signs remote changes of the route table
	FateBoardAdmin Secret // web login
}

// secretBytes is 144 bits in base64url: 24 characters from [A-Za-z0-9_-], which every file format, shell and SQL
// dialect on the way carries without quoting.
const secretBytes = 18

// NewSecrets generates every secret from r, normally crypto/rand.Reader.
func NewSecrets(r io.Reader) (Secrets, error) {
	var s Secrets
	for _, f := range s.fields() {
		b := make([]byte, secretBytes)
		if _, err := io.ReadFull(r, b); err != nil {
			return Secrets{}, fmt.Errorf("cannot generate the secret %s: %w", f.name, err)
		}
		*f.secret = NewSecret(base64.RawURLEncoding.EncodeToString(b))
	}
	return s, nil
}

type secretField struct {
	name   string
	secret *Secret
}

func (s *Secrets) fields() []secretField {
	var out []secretField
	for _, e := range secretTable {
		out = append(out, secretField{e.name, e.of(s)})
	}
	return out
}

// All lists the secrets that have a value.
func (s Secrets) All() []Secret {
	var out []Secret
	for _, f := range s.fields() {
		if !f.secret.IsZero() {
			out = append(out, *f.secret)
		}
	}
	return out
}

// Encode gives the clear text for the state directory's 0600 file.
func (s Secrets) Encode() ([]byte, error) {
	m := make(map[string]string)
	for _, f := range s.fields() {
		m[f.name] = f.secret.Reveal()
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode the secrets: %w", err)
	}
	return append(b, '\n'), nil
}

// DecodeSecrets reads what Encode wrote. Names it does not know are kept out; missing ones stay zero.
func DecodeSecrets(data []byte) (Secrets, error) {
	var m map[string]string
	if err := json.Unmarshal(data, &m); err != nil {
		return Secrets{}, fmt.Errorf("cannot read the stored secrets: %w", err)
	}
	var s Secrets
	for _, f := range s.fields() {
		*f.secret = NewSecret(m[f.name])
	}
	return s, nil
}

// Or fills what s lacks from other.
func (s Secrets) Or(other Secrets) Secrets {
	theirs := other.fields()
	for i, f := range s.fields() {
		if f.secret.IsZero() {
			*f.secret = *theirs[i].secret
		}
	}
	return s
}

// or fills what the operator left out.
func (s SecretsConf) or(o Secrets) SecretsConf {
	return SecretsConf(Secrets(s).Or(o))
}

// AllSecrets lists every secret that this host's configuration may hold: the ones in use, those that they replaced in
// an unfinished change, and all that stand in the cluster file, also those of other sides.
func (s *Spec) AllSecrets() []Secret {
	out := s.Secrets.All()
	for _, record := range s.SecretRecords {
		out = append(out, record.Former...)
	}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch {
		case v.Type() == reflect.TypeFor[Secret]():
			if secret := v.Interface().(Secret); !secret.IsZero() {
				out = append(out, secret)
			}
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case v.Kind() == reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	for _, side := range s.Cluster.Sides() {
		walk(reflect.ValueOf(*side))
	}
	walk(reflect.ValueOf(s.Cluster.Install))
	return out
}
