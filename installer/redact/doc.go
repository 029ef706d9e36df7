// Package redact takes out of text what must not leave a host or be shown: passwords and keys in logs, files of
// settings and messages, and characters on which a terminal acts.
package redact
