package payload

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// TestFrameReadersAreShared counts the readers that extractions hold at the same time: never more than one of them may.
func TestFrameReadersAreShared(t *testing.T) {
	p, err := Open(manyFrames(t).path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	synctest.Test(t, func(t *testing.T) {
		s := &frameReaders{}
		s.freed.L = &s.mu
		for range 3 {
			s.enter(2)
		}
		first, second := s.take(p), s.take(p)
		if first == second {
			t.Fatal("two workers have the same memory")
		}
		var third *frameReader
		go func() { third = s.take(p) }()
		synctest.Wait()
		if third != nil {
			t.Fatal("a third worker did not wait")
		}
		s.give(first)
		synctest.Wait()
		if third != first {
			t.Error("the third worker did not get the memory of the first")
		}
		s.give(second)
		s.leave()
		s.enter(3)
		var more [2]*frameReader
		for i := range more {
			more[i] = s.take(p)
		}
		if more[0] != second || more[1] == nil {
			t.Error("what was given back is not taken first, or a larger extraction did not get more")
		}
		for _, r := range append(more[:], third) {
			s.give(r)
		}
		for range 3 {
			s.leave()
		}
		if s.idle != nil || s.taken != 0 || s.limit != 0 {
			t.Errorf("after the last extraction: %d idle, %d taken, limit %d", len(s.idle), s.taken, s.limit)
		}
	})
}

// TestExtractAtTheSameTime has several extractions of one appliance take turns frame by frame.
func TestExtractAtTheSameTime(t *testing.T) {
	p, err := Open(manyFrames(t).path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dir := tempDir(t)
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			component := []string{"one", "two"}[i%2]
			target := filepath.Join(dir, fmt.Sprint(i))
			if err := p.Extract(t.Context(), component, target,
				ExtractOptions{UID: -1, GID: -1, Workers: 1 + i%3}); err != nil {
				t.Error(err)
				return
			}
			if diff := cmp.Diff(sampleTree(), readTree(t, target)); diff != "" {
				t.Errorf("%s: -want +got:\n%s", target, diff)
			}
		})
	}
	group.Wait()
}

func TestWorkersOfAnExtraction(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	zstd, xz := &job{c: &Component{Codec: CodecZstd}}, &job{c: &Component{Codec: CodecXZ}}
	for _, c := range []struct {
		jobs  []*job
		asked int
		want  int
	}{{[]*job{zstd}, 0, 3}, {[]*job{zstd, xz}, 0, 2}, {[]*job{xz}, 5, 5}, {[]*job{zstd}, 1, 1}, {nil, 0, 3}} {
		x := &extraction{jobs: c.jobs, o: ExtractOptions{Workers: c.asked}}
		if got := x.workers(); got != c.want {
			t.Errorf("%d components, %d asked for: %d workers, want %d", len(c.jobs), c.asked, got, c.want)
		}
	}
}
