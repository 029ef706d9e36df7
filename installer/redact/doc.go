// Package redact removes passwords and keys from text that leaves a host or is shown: logs, files of settings, messages.
package redact
