package adopt

import (
	"path"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
)

// Keys are the TLS keys of the rollsite.
type Keys struct {
	Files    []KeyFile `json:"files"`    // that eggroll.properties names
	Problems []string  `json:"problems"` // what makes connections fail
	Remarks  []string  `json:"remarks"`  // what will make them fail later
}

// KeyFile is a certificate or a private key.
type KeyFile struct {
	File    string    `json:"file"`             // its path
	Expires time.Time `json:"expires,omitzero"` // of a certificate
}

// findKeys reads the keys that eggroll.properties names and checks them as keys check does.
func findKeys(r *reader, s *cluster.Spec, ds *documents, now time.Time) *Keys {
	if !s.NeedsKeys() {
		return nil
	}
	out := &Keys{Files: []KeyFile{}, Problems: []string{}}
	doc := ds.of(kindEggroll)
	var files []keys.File
	for _, k := range []string{"ca.crt", "crt", "key", "client.ca.crt", "client.crt", "client.key"} {
		e, ok := doc.get(keySecurity + k + ".path")
		if !ok {
			continue // its absence is a problem of the check
		}
		data, err := r.read(e.value)
		if err != nil {
			out.Problems = append(out.Problems, e.value+" cannot be read: "+rootCause(err).Error())
			continue
		}
		file := KeyFile{File: e.value}
		if cert, err := keys.FirstToEnd(data); err == nil {
			file.Expires = cert.NotAfter
		}
		out.Files = append(out.Files, file)
		files = append(files, keys.File{Name: path.Base(e.value), Content: data})
	}
	names, err := s.Cluster.KeyNames(s.Role)
	if err != nil {
		names = []string{s.IP}
	}
	problems, remarks := keys.Check(string(s.Role), names, files, now)
	out.Problems, out.Remarks = append(out.Problems, problems.Texts()...), remarks.Texts()
	return out
}
