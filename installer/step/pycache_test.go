package step

import (
	"os"
	"path/filepath"
	"testing"

	"fate-installer/installer/engine"
)

// TestCompiledCodeOfTheComponentStays: what Python wrote goes, also when it is of an edited source; what came with the
// component, and so has the time of its source, stays.
func TestCompiledCodeOfTheComponentStays(t *testing.T) {
	const dir = "/data/venv/lib/kazoo/"
	w := newWorld(t, tempDir(t), true, nil)
	for _, module := range []string{"client", "edited", "gone"} {
		for _, name := range []string{module + ".py", "__pycache__/" + module + ".cpython-311.pyc"} {
			w.write(dir+name, name)
			must(t, os.Chtimes(filepath.Join(w.dir, dir+name), payloadTime, payloadTime))
		}
	}
	w.write(dir+"__pycache__/client.cpython-38.pyc", "of another python")
	w.write(dir+"edited.py", "x = 2")
	must(t, os.Remove(filepath.Join(w.dir, dir+"gone.py")))
	w.svc.unready = map[string]string{"flow": "BACKOFF"}
	w.run(t, StartPrograms{Names: []string{"flow"}, PythonTrees: []string{"/data/venv"}})
	left, err := filepath.Glob(filepath.Join(w.dir, dir, "__pycache__/*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "client.cpython-311.pyc" {
		t.Errorf("left: %q, %v", left, err)
	}
}

// TestCompiledCodeIsNoEdit: compiled code that came with a component and is gone, or that Python has written again, is
// neither missing nor changed nor foreign. An edit of its source is replaced, whatever is compiled of it, and nothing
// of it outlives another version or an uninstall.
func TestCompiledCodeIsNoEdit(t *testing.T) {
	const cache = "bin/__pycache__/"
	w := newWorld(t, tempDir(t), false, baseTree)
	for version, code := range map[string]string{"eggroll 1": "one", "eggroll 2": "two"} {
		w.payload.components[version]["bin/tool.py"] = code
		w.payload.components[version][cache+"tool.cpython-38.pyc"] = "compiled " + code
		w.payload.components[version][cache+"other.cpython-38.pyc"] = "compiled other"
	}
	w.run(t, eggroll("1"))
	w.hasFiles(t, "after the installation", map[string]string{cache + "tool.cpython-38.pyc": "compiled one"})
	unchanged := func(when string) {
		t.Helper()
		f, err := eggroll("1").Check(t.Context(), w.env())
		if err != nil || !f.Done || f.Note != "" {
			t.Errorf("%s: %+v, %v", when, f, err)
		}
	}
	unchanged("as installed")
	w.write(eggrollTree+cache+"tool.cpython-38.pyc", "written by python")
	w.write(eggrollTree+cache+"tool.cpython-311.pyc", "written by another python")
	must(t, os.Remove(filepath.Join(w.dir, eggrollTree, cache, "other.cpython-38.pyc")))
	unchanged("written again")
	w.write(eggrollTree+"bin/tool.py", "of an operator")
	w.run(t, eggroll("1"))
	w.hasFiles(t, "after the repair", map[string]string{"bin/tool.py": "one",
		cache + "tool.cpython-38.pyc": "written by python", ".fate-replaced/*/bin/tool.py": "of an operator"})
	must(t, os.RemoveAll(filepath.Join(w.dir, eggrollTree, cache)))
	unchanged("without caches")
	w.write(eggrollTree+cache+"tool.cpython-38.pyc", "of the former version")
	w.run(t, eggroll("2"))
	w.hasFiles(t, "after the upgrade", map[string]string{cache + "tool.cpython-38.pyc": "compiled two"})
	must(t, os.RemoveAll(filepath.Join(w.dir, eggrollTree, ReplacedFiles)))
	_, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	if w.exists(eggrollTree + "bin") {
		t.Error("after the uninstall the caches are there")
	}
}
