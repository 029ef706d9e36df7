package render

import (
	"slices"
	"testing"

	"fate-installer/bundle"
	"fate-installer/installer/database"
)

// TestDatabaseFormat: the rendered option file leaves the format to the server, as the data directory that an appliance
// carries does; one that asks for another format has its data directory made with it.
func TestDatabaseFormat(t *testing.T) {
	for _, engine := range []string{"mysql", "mariadb"} {
		if got := databaseFormat(myCnf(databaseSpec(t, engine, "8.0.28", ""))); len(got) > 0 {
			t.Errorf("%s: the option file has %q, and no data directory that an appliance carries fits", engine, got)
		}
	}
	conf := "[mysqld]\nport=3306\nlower_case_table_names=1\ninnodb-page-size=8192\n" +
		"innodb_undo_directory=\"/data/undo\"\n[client]\ninnodb_page_size=1\n"
	want := []string{"--lower-case-table-names=1", "--innodb-page-size=8192", "--innodb-undo-directory=/data/undo"}
	if got := databaseFormat([]byte(conf)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestTemplateFileHasOneName: the builder puts it where the installer looks.
func TestTemplateFileHasOneName(t *testing.T) {
	if bundle.DatabaseTemplate != database.TemplateFile {
		t.Errorf("%s and %s", bundle.DatabaseTemplate, database.TemplateFile)
	}
}
