package deploy

import (
	"fmt"
	"strings"
	"testing"
)

// TestCertificateNamesAreFew: the service user writes the configuration, and root reads the files that it names.
func TestCertificateNamesAreFew(t *testing.T) {
	var settings strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&settings, "%sx=/keys/%d.pem\n", securitySettings, i)
	}
	if names := certificateNames(settings.String()); len(names) != mostCertificates {
		t.Errorf("%d names", len(names))
	}
}
