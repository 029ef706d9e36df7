package flow

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sometimesMissing are the files below examples/data that not every tree of FATE has, as they are the largest.
var sometimesMissing = []string{
	"cora4fate/guest/feats.csv", "cora4fate/host/feats.csv", "epsilon_5k_hetero_host.csv",
	"give_credit_hetero_guest.csv", "give_credit_hetero_host.csv", "give_credit_homo_guest.csv",
	"give_credit_homo_host.csv",
	"nus_wide_train_guest.csv", "nus_wide_validate_guest.csv",
}

// No command needs them: neither the minimal test's data nor anything that the product's sources name is among them.
func TestNoCommandNeedsDataThatSomeTreesLack(t *testing.T) {
	for _, d := range []MinData{FastData, NormalData} {
		guest, host := d.Tables("/fate/examples")
		for _, table := range []Table{guest, host} {
			name, ok := strings.CutPrefix(table.File, "/fate/examples/data/")
			for _, missing := range sometimesMissing {
				if !ok || name == missing {
					t.Errorf("data %s: %s", d.Name, table.File)
				}
			}
		}
	}
	files := 0
	for _, dir := range []string{"../../bundle", "../../payload", "../../installer",
		"../../supervisor", "../../release"} {
		err := filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/testdata/") {
				return err
			}
			data, err := os.ReadFile(file)
			files++
			for _, missing := range sometimesMissing {
				if strings.Contains(string(data), strings.TrimSuffix(missing, ".csv")) {
					t.Errorf("%s names %s", file, missing)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 200 {
		t.Errorf("only %d files were read", files)
	}
}

// TestMinTimeLimits: the limits suit two cores, where 30 iterations of hetero LR on the fast data took up to 742 s.
func TestMinTimeLimits(t *testing.T) {
	if FastData.Timeout != time.Hour || NormalData.Timeout != 24*time.Hour {
		t.Errorf("%s and %s; test min --help says 1h and 24h", FastData.Timeout, NormalData.Timeout)
	}
}
