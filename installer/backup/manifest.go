package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
)

// Schema is the version of the format that this program writes. A newer one is refused.
const Schema = 1

// ManifestName is the member that says what a backup has.
const ManifestName = "backup.json"

// How the secrets of a backup are encrypted.
const (
	ByPassphrase = "passphrase"
	ByRecipient  = "recipient"
)

// Manifest says what a backup has. It is readable without the passphrase.
type Manifest struct {
	Schema     int               `json:"schema"`             // version of the format
	ID         string            `json:"id"`                 // of this backup, unique
	Made       time.Time         `json:"made"`               // when the backup was begun
	Program    string            `json:"program"`            // version of fate-installer that made it
	Host       string            `json:"host"`               // name of the machine
	Role       string            `json:"role"`               // host, guest or exchange
	Party      int               `json:"party"`              // party ID
	IP         string            `json:"ip"`                 // address of the machine in the cluster file
	FATE       string            `json:"fate"`               // release of FATE
	Components map[string]string `json:"components"`         // versions of the components
	Encryption string            `json:"encryption"`         // passphrase or recipient
	Database   *Database         `json:"database,omitempty"` // absent when this host does not run the server
	Trees      []Tree            `json:"trees"`              // directories of models and jobs
	Unread     []string          `json:"unread"`             // files that are not in the backup, each with the reason
	NotBacked  []string          `json:"not_backed_up"`      // what of this host no backup has

	missing int // see Missing
}

// Database describes the tables in a backup.
type Database struct {
	Flavour string  `json:"flavour"` // mysql or mariadb
	Version string  `json:"version"` // of the server
	Schema  string  `json:"schema"`  // name of the database
	Tables  []Table `json:"tables"`  // with their rows
	Bytes   int64   `json:"bytes"`   // of all values
	Jobs    int64   `json:"jobs"`    // jobs in the tables
	Models  int64   `json:"models"`  // trained models in the tables
}

// Table is one table in a backup.
type Table struct {
	Name string `json:"name"` // of the table
	Rows int64  `json:"rows"` // number of rows
}

// Tree is one directory in a backup.
type Tree struct {
	Name  string `json:"name"`  // model_local_cache or jobs
	Files int64  `json:"files"` // number of files
	Bytes int64  `json:"bytes"` // of all files
}

// Bytes is the size of what is in the backup, as it is on the disk: of all files, and of the values of all tables.
func (m *Manifest) Bytes() (files, tables int64) {
	for _, t := range m.Trees {
		files += t.Bytes
	}
	if m.Database != nil {
		tables = m.Database.Bytes
	}
	return files, tables
}

// encode gives the text of the manifest.
func (m *Manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("cannot encode %s: %w", ManifestName, err)
	}
	return b.Bytes(), nil
}

// Limits of what a manifest says.
const (
	maxText   = 4096
	maxTables = 10_000
	maxUnread = 100_000
)

// DecodeManifest reads a manifest. What it says is bounded, and can be shown on a terminal.
func DecodeManifest(data []byte) (*Manifest, error) {
	var version struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", ManifestName, err)
	}
	if version.Schema > Schema {
		return nil, fmt.Errorf("cannot read this backup: a newer fate-installer made it (schema %d, this one knows %d)",
			version.Schema, Schema)
	}
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", ManifestName, err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", ManifestName, err)
	}
	m.missing = missingIn(m.Unread)
	return m, nil
}

func (m *Manifest) check() error {
	if m.Schema < 1 || m.ID == "" || m.Made.IsZero() {
		return errors.New("it has no schema, no ID or no time")
	}
	if m.Encryption != ByPassphrase && m.Encryption != ByRecipient {
		return fmt.Errorf("the encryption %.20q is unknown", m.Encryption)
	}
	texts := append([]string{m.ID, m.Program, m.Host, m.Role, m.IP, m.FATE}, m.NotBacked...)
	for k, v := range m.Components {
		texts = append(texts, k, v)
	}
	seen := map[string]bool{}
	for _, t := range m.Trees {
		if t.Files < 0 || t.Bytes < 0 || !slices.Contains(TreeNames(), t.Name) || seen[t.Name] {
			return fmt.Errorf("the directory %.40q is impossible", t.Name)
		}
		seen[t.Name] = true
	}
	if len(m.Unread) > maxUnread || len(m.NotBacked) > maxTables || len(m.Components) > maxTables {
		return errors.New("it is too long")
	}
	texts = append(texts, m.Unread...)
	if db := m.Database; db != nil {
		if len(db.Tables) > maxTables || db.Bytes < 0 {
			return errors.New("it has too many tables")
		}
		texts = append(texts, db.Flavour, db.Version, db.Schema)
		names := map[string]bool{}
		for _, t := range db.Tables {
			if err := checkName(t.Name); err != nil || t.Rows < 0 || names[t.Name] {
				return fmt.Errorf("the table %.40q is impossible", t.Name)
			}
			names[t.Name] = true
		}
	}
	for _, text := range texts {
		if err := checkText(text); err != nil {
			return err
		}
	}
	return nil
}

// checkText refuses what could confuse a terminal.
func checkText(s string) error {
	if len(s) > maxText {
		return errors.New("a text is too long")
	}
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return fmt.Errorf("the text %.60q is not printable", s)
		}
	}
	return nil
}
