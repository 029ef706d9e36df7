package maven

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// The digest of "jar".
var artifact = Artifact{"org.example", "thing", "1.0",
	"0163f1eea7894350060624d315234d40c508ab251ba121714e234503045faadd"}

func TestFetchKeepsWhatHasTheDigest(t *testing.T) {
	a := artifact
	dir, calls := t.TempDir(), 0
	content := "another jar"
	bring := func(_ context.Context, a Artifact, dir string) error {
		calls++
		return os.WriteFile(filepath.Join(dir, a.File()), []byte(content), 0o644)
	}
	_, err := fetch(t.Context(), dir, a, bring)
	wrong := new(DigestError)
	if !errors.As(err, &wrong) {
		t.Fatalf("a jar of another digest: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, a.File())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was kept: %v", err)
	}
	content = "jar"
	for range 2 {
		file, err := fetch(t.Context(), dir, a, bring)
		if data, _ := os.ReadFile(file); err != nil || string(data) != content {
			t.Fatalf("%q, %v", data, err)
		}
	}
	if calls != 2 {
		t.Errorf("fetched %d times, want 2", calls)
	}
	// What was damaged in the cache is fetched again.
	if err := os.WriteFile(filepath.Join(dir, a.File()), []byte("ja"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := fetch(t.Context(), dir, a, bring); err != nil || calls != 3 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestFetchSaysThatNothingIsToBeHad(t *testing.T) {
	dir := t.TempDir()
	_, err := fetch(t.Context(), dir, artifact,
		func(context.Context, Artifact, string) error { return errors.New("no network") })
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".fetch-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
