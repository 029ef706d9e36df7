package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// SecretRecords has the records of the secrets besides their present values, by their names in the cluster file's
// secrets block. It lives next to the secrets, in a file of its own, so that an older release still reads those.
type SecretRecords map[string]SecretRecord

// SecretRecord is the history of one secret on this host.
type SecretRecord struct {
	// Since is when the present value came into use here; zero when a release that did not record it installed it.
	Since time.Time

	// Former are the values that a server or a program here may still have: a change is not finished while there are
	// any. They are tried where the present one is refused.
	Former []Secret

	// Replaced are the SHA-256 sums, hexadecimal, of values of the cluster file that a rotation replaced: a cluster
	// file that still has one of them means the present value.
	Replaced []string
}

// secretRecordFile is the JSON form of a record: the values of Former in clear text.
type secretRecordFile struct {
	Since    time.Time `json:"since,omitzero"`
	Former   []string  `json:"former,omitempty"`
	Replaced []string  `json:"replaced,omitempty"`
}

// DecodeSecretRecords reads what [SecretRecords.Encode] wrote. Unknown names are an error: the file is ours alone.
func DecodeSecretRecords(data []byte) (SecretRecords, error) {
	var raw map[string]secretRecordFile
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("cannot read the records of the secrets: %w", err)
	}
	out := SecretRecords{}
	for name, r := range raw {
		if !slices.Contains(SecretNames(), name) {
			return nil, fmt.Errorf("cannot read the records of the secrets: there is no secret %q", name)
		}
		record := SecretRecord{Since: r.Since, Replaced: r.Replaced}
		for _, value := range r.Former {
			record.Former = append(record.Former, NewSecret(value))
		}
		out[name] = record
	}
	return out, nil
}

// Encode gives the content of a file with mode 0600: former values are in it in clear text.
func (r SecretRecords) Encode() ([]byte, error) {
	raw := map[string]secretRecordFile{}
	for name, record := range r {
		f := secretRecordFile{Since: record.Since, Replaced: record.Replaced}
		for _, value := range record.Former {
			f.Former = append(f.Former, value.Reveal())
		}
		raw[name] = f
	}
	data, err := json.MarshalIndent(raw, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode the records of the secrets: %w", err)
	}
	return append(data, '\n'), nil
}

// SecretNames lists the secrets by their names in the cluster file.
func SecretNames() []string {
	var names []string
	for _, f := range new(Secrets).fields() {
		names = append(names, f.name)
	}
	return names
}

// Get gives the secret of a name of [SecretNames]; of any other the zero one.
func (s Secrets) Get(name string) Secret {
	for _, f := range s.fields() {
		if f.name == name {
			return *f.secret
		}
	}
	return Secret{}
}

// Set replaces the secret of a name of [SecretNames].
func (s *Secrets) Set(name string, value Secret) {
	for _, f := range s.fields() {
		if f.name == name {
			*f.secret = value
		}
	}
}

// Changed lists the names of the secrets that differ from other's.
func (s Secrets) Changed(other Secrets) []string {
	var names []string
	for _, name := range SecretNames() {
		if !s.Get(name).Equal(other.Get(name)) {
			names = append(names, name)
		}
	}
	return names
}

// Begin records that secrets change from was to is: the values of was are kept as former ones until
// [SecretRecords.End]. It reports whether a record was changed.
func (r SecretRecords) Begin(was, is Secrets) (changed bool) {
	for _, name := range is.Changed(was) {
		former, record := was.Get(name), r[name]
		if former.IsZero() || slices.ContainsFunc(record.Former, former.Equal) {
			continue
		}
		record.Former = append(slices.Clone(record.Former), former)
		r[name] = record
		changed = true
	}
	return changed
}

// Replace records that the value which the cluster file has for a secret is not the wanted one any more.
func (r SecretRecords) Replace(name string, inFile Secret) {
	sum := secretSum(inFile)
	if record := r[name]; !inFile.IsZero() && !slices.Contains(record.Replaced, sum) {
		record.Replaced = append(slices.Clone(record.Replaced), sum)
		r[name] = record
	}
}

// End records that the present values of secrets are in use everywhere on this host since now, and forgets the former
// ones. It reports whether a record was changed.
func (r SecretRecords) End(now time.Time, names []string) (changed bool) {
	for _, name := range SecretNames() {
		record := r[name]
		if len(record.Former) == 0 && !slices.Contains(names, name) {
			continue
		}
		record.Former, record.Since = nil, now.UTC().Truncate(time.Second)
		r[name] = record
		changed = true
	}
	return changed
}

// Unfinished lists the secrets whose change was begun and not ended.
func (r SecretRecords) Unfinished() []string {
	return slices.DeleteFunc(SecretNames(), func(name string) bool { return len(r[name].Former) == 0 })
}

// IsReplaced reports whether a value of the cluster file was replaced by a rotation.
func (r SecretRecords) IsReplaced(name string, inFile Secret) bool {
	return slices.Contains(r[name].Replaced, secretSum(inFile))
}

// effective gives the secrets in force: those of the cluster file, those stored on this host where it has none, and the
// stored ones where a rotation replaced the file's.
func (r SecretRecords) effective(inFile, stored Secrets) Secrets {
	for _, name := range SecretNames() {
		if !stored.Get(name).IsZero() && r.IsReplaced(name, inFile.Get(name)) {
			inFile.Set(name, Secret{})
		}
	}
	return inFile.Or(stored)
}

// secretSum identifies a value without showing it. The file that has it is readable by root alone, as is the stored
// cluster file with the value itself.
func secretSum(s Secret) string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return hex.EncodeToString(sum[:])
}
