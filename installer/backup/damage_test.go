package backup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/host"
	"fate-installer/payload"

	"filippo.io/age"
)

// TestDamage flips a byte and cuts the file in every part of a backup: at the beginning, in the middle and at the end
// of each frame, and between them. Each is found by what needs no passphrase.
func TestDamage(t *testing.T) {
	trees := newTree(t)
	noise := strings.Builder{}
	for i := range 3 << 20 {
		noise.WriteByte(byte(i * i >> 7))
	}
	trees.put(t, "model_local_cache/m", noise.String())
	trees.put(t, "jobs/j", "{}")
	to, with := passphrase(t, "x")
	file := create(t, nil, &trees, to)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	offsets := map[int]bool{0: true, 40: true, 63: true, len(whole) - 1: true, len(whole) - 100: true}
	for at := 0; at < len(whole); at += max(1, len(whole)/97) {
		offsets[at] = true
	}
	for _, at := range frameEdges(t, file, whole) {
		offsets[at] = true
	}
	proof := func() error {
		a, err := Open(file)
		if err != nil {
			return err
		}
		defer a.Close()
		return a.Verify(t.Context(), nil)
	}
	if err := proof(); err != nil {
		t.Fatal(err)
	}
	for at := range offsets {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x10
		if err := os.WriteFile(file, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		if proof() == nil {
			t.Errorf("a flipped byte at %d of %d is not found", at, len(whole))
		}
		if err := os.WriteFile(file, whole[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		if proof() == nil {
			t.Errorf("a file that ends at %d of %d is taken for whole", at, len(whole))
		}
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	a, sealed := opened(t, file, with)
	if err := a.Prove(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
}

// frameEdges lists the first, a middle and the last byte of every frame of every stream, and of the other members.
func frameEdges(t *testing.T, file string, whole []byte) (at []int) {
	t.Helper()
	p, err := payload.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, c := range p.Manifest().Components {
		begin := bytes.Index(whole, []byte(c.Member)) // its local header
		if begin < 0 || len(c.Frames) == 0 {
			t.Fatalf("component %s is not found", c.Name)
		}
		data := begin + len(c.Member) + 20
		for _, f := range c.Frames {
			first := data + int(f.Offset)
			at = append(at, first, first+int(f.Size)/2, first+int(f.Size)-1, begin)
		}
	}
	begin := bytes.Index(whole, []byte(ManifestName))
	return append(at, begin, begin+100)
}

// TestForeignStream puts the stream of one backup into another: that takes the passphrase.
func TestForeignStream(t *testing.T) {
	trees := newTree(t)
	trees.put(t, "jobs/j", "{}")
	to, with := passphrase(t, "x")
	a, sealed := opened(t, create(t, nil, &trees, to), with)
	other, _ := opened(t, create(t, nil, &trees, to), with)
	if err := other.Prove(t.Context(), sealed); err == nil {
		t.Error("a stream was read with the secrets of another backup")
	}
	sealed.Streams[streamFiles] = digestOf(nil)
	if err := a.Prove(t.Context(), sealed); err == nil || !strings.Contains(err.Error(), "another backup") {
		t.Errorf("the error is %v", err)
	}
}

// TestFilesThatChange reads files that change: one that stays the same in the end is in the backup as it is then, and
// one that goes on changing is named.
func TestFilesThatChange(t *testing.T) {
	trees := newTree(t)
	trees.put(t, "jobs/somewhere/restless", "0")
	trees.put(t, "jobs/calm", "0")
	restless := filepath.Join(trees.Host.Root(), trees.Home, "jobs/somewhere/restless")
	grow := func() {
		f, err := os.OpenFile(restless, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString("1"); err != nil {
			t.Fatal(err)
		}
	}
	for name, changes := range map[string]int{"settles": 2, "goes on": 1000} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			left, m := changes, newManifest()
			// What is written of a record that names the file makes it grow, before it is read.
			w := &recordWriter{bufio.NewWriterSize(writerFunc(func(p []byte) (int, error) {
				if left > 0 && bytes.Contains(p, []byte("restless")) {
					left--
					grow()
				}
				return b.Write(p)
			}), 16)}
			if err := trees.Write(t.Context(), m, w, func(int64) {}); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(w.put(recordEnd, nil), w.w.Flush()); err != nil {
				t.Fatal(err)
			}
			c := &treeCount{}
			if err := errors.Join(readTrees(newRecordReader(&b), c), c.compare(m.Trees)); err != nil {
				t.Fatal(err)
			}
			want, named := int64(2), 0
			if changes > readTries {
				want, named = 1, 1
			}
			if c.trees[0].Files != want || len(m.Unread) != named || m.Missing() != named {
				t.Errorf("%d files are in the backup and %v is named", c.trees[0].Files, m.Unread)
			}
		})
	}
}

// TestLinksAreNotFollowed: a link, and a hard link of a file from elsewhere, that the service user has made are named,
// and what they lead to is not in the backup.
func TestLinksAreNotFollowed(t *testing.T) {
	trees := newTree(t)
	trees.put(t, "jobs/j", "{}")
	root := filepath.Join(trees.Host.Root(), trees.Home, "jobs")
	secret := filepath.Join(trees.Host.Root(), "shadow")
	if err := errors.Join(os.WriteFile(secret, []byte("root:secret"), 0o600),
		os.Symlink("/shadow", filepath.Join(root, "link")), os.Symlink("/", filepath.Join(root, "up"))); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	m, w := newManifest(), testWriter(&b)
	if err := errors.Join(trees.Write(t.Context(), m, w, func(int64) {}), w.w.Flush()); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b.Bytes(), []byte("secret")) || len(m.Unread) != 2 || m.Trees[0].Files != 1 {
		t.Errorf("the backup has %+v and names %v", m.Trees, m.Unread)
	}
}

// TestEveryChange lets each change of a restore fail in turn, as a kill there would, and repeats the restore: until
// then either the former files or the restored ones are in use, and after it the restored ones are. Where the kernel
// cannot exchange two directories at once, there is a moment between two renames without either.
func TestEveryChange(t *testing.T) {
	t.Run("exchange", func(t *testing.T) {
		db := start(t)
		tables := flowTables(t, db, "fate_flow")
		testEveryChange(t, &tables, nil)
	})
	t.Run("renames", func(t *testing.T) { testEveryChange(t, nil, syscall.EINVAL) })
}

func testEveryChange(t *testing.T, tables *Tables, exchange error) {
	from := newTree(t)
	from.put(t, "model_local_cache/guest/v1/model", "restored")
	from.put(t, "jobs/1/conf", "restored")
	to, with := passphrase(t, "x")
	a, sealed := opened(t, create(t, tables, &from, to), with)
	restored := map[string]map[string]string{"model_local_cache": from.content(t, "model_local_cache"),
		"jobs": from.content(t, "jobs")}
	for fail := 1; ; fail++ {
		trees := newTree(t)
		trees.put(t, "model_local_cache/guest/v0/model", "former")
		trees.put(t, "jobs/0/conf", "former")
		former := map[string]map[string]string{"model_local_cache": trees.content(t, "model_local_cache"),
			"jobs": trees.content(t, "jobs")}
		changes, armed := 0, true
		trees.Host.InjectFaults(t, func(op host.Op, _ string) error {
			if op == host.OpExchange {
				return exchange
			}
			if changes++; armed && changes >= fail { // after a kill nothing else is done
				return errors.New("killed")
			}
			return nil
		})
		r := &Restore{Archive: a, Sealed: sealed, Tables: tables, Trees: &trees}
		phase, err := resume(t.Context(), r, 0)
		if err == nil {
			if fail < 20 {
				t.Fatalf("a restore takes %d changes only", changes)
			}
			return
		}
		armed = false
		for name := range restored {
			got := trees.content(t, name)
			delete(got, marker)
			if equal(got, former[name]) || equal(got, restored[name]) || exchange != nil && len(got) == 0 {
				continue
			}
			t.Fatalf("change %d: %s has neither the former nor the restored files: %v", fail, name, got)
		}
		if _, err := resume(t.Context(), r, phase); err != nil {
			t.Fatalf("change %d, repeated from phase %d: %v", fail, phase, err)
		}
		for name := range restored {
			sameContent(t, trees.content(t, name), restored[name])
		}
		entries, err := trees.Host.ReadDir(trees.Home)
		if err != nil || len(entries) != 2 {
			t.Fatalf("change %d: %v is left, %v", fail, entries, err)
		}
		if tables != nil {
			wantRows(t, tables.Admin, map[string]int{"SELECT COUNT(*) FROM fate_flow.t_job": 1200})
		}
	}
}

// resume does the moves of a restore from a phase on, and returns the one that was not completed.
func resume(ctx context.Context, r *Restore, phase int) (int, error) {
	for i, move := range []func(context.Context) error{r.Stage, r.Swap, r.Clean}[phase:] {
		if err := move(ctx); err != nil {
			return phase + i, err
		}
	}
	return 3, nil
}

func equal(a, b map[string]string) bool {
	for name, text := range a {
		if b[name] != text {
			return false
		}
	}
	return len(a) == len(b)
}

// TestFullDisk: an error while the backup is written leaves none.
func TestFullDisk(t *testing.T) {
	trees := newTree(t)
	trees.put(t, "jobs/j", "{}")
	to, _ := passphrase(t, "x")
	file := filepath.Join(t.TempDir(), "b")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	full := errors.New("no space left on device")
	err = Create(t.Context(), out, newManifest(), &Sealed{Site: []byte("{}")}, Content{
		Files: func(context.Context, *Manifest, *RecordWriter) error { return full },
	}, []age.Recipient{to})
	if !errors.Is(err, full) {
		t.Errorf("the error is %v", err)
	}
	if _, err := Open(file); err == nil {
		t.Error("a backup that was given up looks complete")
	}
}
