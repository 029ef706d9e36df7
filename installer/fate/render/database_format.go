package render

import (
	"slices"
	"strings"

	"fate-installer/installer/fate/cluster"
)

// formatNames are the server's options that a data directory keeps for all of its life: a server with another value
// does not start on it. The character set is none of them, since the server's own tables have their own.
var formatNames = []string{
	"innodb_page_size", "lower_case_table_names", "innodb_data_file_path", "innodb_data_home_dir",
	"innodb_log_group_home_dir", "innodb_undo_directory", "innodb_undo_tablespaces", "innodb_checksum_algorithm",
}

// DatabaseFormat gives the options with which the data directory of this host's database has to be made.
func DatabaseFormat(s *cluster.Spec) []string { return databaseFormat(myCnf(s)) }

// databaseFormat gives the options of an option file with which its data directory has to be made.
func databaseFormat(conf []byte) []string {
	var out []string
	section := ""
	for line := range strings.Lines(string(conf)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.ReplaceAll(name, "-", "_")
		if section == "[mysqld]" && ok && slices.Contains(formatNames, name) {
			out = append(out, "--"+strings.ReplaceAll(name, "_", "-")+"="+strings.Trim(value, `"`))
		}
	}
	return out
}
