package main

import "testing"

// FuzzMetaDatabase reads the file from which a probe takes eggroll's database.
func FuzzMetaDatabase(f *testing.F) {
	f.Add([]byte("eggroll.resourcemanager.clustermanager.jdbc.url=jdbc:mysql://192.168.0.1:3306/eggroll_meta?useSSL=false\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := metaDatabase(data); err == nil && c.Net != "tcp" {
			t.Errorf("a database that is not reached by TCP: %+v", c)
		}
	})
}
