package job

import (
	"testing"

	"fate-installer/installer/cause"
	"fate-installer/installer/host"
	"fate-installer/supervisor"
)

// TestSpaceText: a file system is full, nearly full as the supervisor has it, or has room.
func TestSpaceText(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	for name, c := range map[string]struct {
		dir   string
		space host.Space
		want  string
		cause string
	}{
		"full": {"/data", host.Space{Size: 100 * gib, Free: 31 * mib}, "file system of /data is full: 31.0 MiB are free",
			"disk-full"},
		"no more files": {"/data", host.Space{Size: 100 * gib, Free: 90 * gib, Files: 1000, FilesFree: 9},
			"file system of /data is full: 9 more files can be made", "disk-full"},
		"nearly full": {"/data", host.Space{Size: 100 * gib, Free: 100 * mib, Files: 1 << 20, FilesFree: 1 << 19},
			"file system of /data is nearly full: 100.0 MiB are free, below the reserve of 512.0 MiB",
			"disk-nearly-full"},
		"small and nearly full": {"/data", host.Space{Size: gib, Free: 50 * mib},
			"file system of /data is nearly full: 50.0 MiB are free, below the reserve of 51.2 MiB", "disk-nearly-full"},
		"the reserve":             {"/data", host.Space{Size: 100 * gib, Free: 512 * mib}, "", ""},
		"small with its reserve":  {"/data", host.Space{Size: gib, Free: 52 * mib}, "", ""},
		"temporary files":         {"/tmp", host.Space{Size: 100 * gib, Free: 100 * mib}, "", ""},
		"full of temporary files": {"/tmp", host.Space{Size: gib, Free: 0}, "file system of /tmp is full: 0 B are free", "disk-full"},
		"without a limit":         {"/tmp", host.Space{}, "", ""},
	} {
		text := SpaceText(c.dir, c.space)
		if text != c.want {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
		found := cause.Find([]cause.Evidence{{Kind: cause.Machine, Text: text}})
		if id := firstID(found); id != c.cause {
			t.Errorf("%s: cause %q, want %q", name, id, c.cause)
		}
	}
}

// TestProgramWithoutRoom: a program that is degraded because its disk is nearly full does not show that it is away.
func TestProgramWithoutRoom(t *testing.T) {
	for why, want := range map[string]string{
		"the file system of /data is nearly full: 101 MiB are free, below the reserve of 512 MiB": "disk-nearly-full",
		"its probe gets no answer": "flow-away",
	} {
		e := programState(supervisor.Status{Name: "fate-fateflow", Why: why})
		if id := firstID(cause.Find([]cause.Evidence{e})); id != want {
			t.Errorf("%s: cause %q, want %q", why, id, want)
		}
	}
}

func firstID(found []cause.Finding) string {
	if len(found) == 0 {
		return ""
	}
	return found[0].ID
}
