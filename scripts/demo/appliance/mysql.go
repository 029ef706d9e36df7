package appliance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"fate-installer/scripts/mysqlserver"
)

// mysqlVersion is the MySQL of an appliance.
var mysqlVersion = mysqlserver.V8015

// mysqlDir is the server's tree, among the stand-ins' because that is where a component's directory is looked for. It
// is as its makers publish it; a test appliance is for a host that has the libraries of a minimal Debian only.
var mysqlDir = "mysql-" + mysqlVersion.Version

func mysql(libs string) component {
	return component{
		name: string(MySQL), license: mysqlserver.License + " AND LGPL-2.1-or-later", version: mysqlVersion.Version,
		libraryPath: []string{mysqlserver.LibraryDir},
		packages: []part{
			libraries(libs, "libaio1", "libaio.so.*"),
			libraries(libs, "libnuma1", "libnuma.so.*"),
		},
		directory: mysqlDir,
	}
}

// placeMySQL copies the server's tree to where the lock file expects it, unless it is there.
func (v variant) placeMySQL(ctx context.Context, dir string) error {
	tree, err := mysqlserver.Unpack(ctx, mysqlVersion)
	if err != nil {
		return fmt.Errorf("cannot get MySQL: %w", err)
	}
	target := filepath.Join(dir, v.standInDir(), mysqlDir)
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	scratch := filepath.Join(dir, ".mysql") // removed by the next build if this one is interrupted
	if err := os.CopyFS(scratch, os.DirFS(tree)); err != nil {
		return fmt.Errorf("cannot copy MySQL: %w", err)
	}
	if err := os.Rename(scratch, target); err != nil {
		return fmt.Errorf("cannot copy MySQL: %w", err)
	}
	return nil
}
