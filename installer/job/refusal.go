package job

import (
	"fmt"
	"strings"

	"fate-installer/installer/cause"
	"fate-installer/installer/exit"
	"fate-installer/installer/flow"
	"fate-installer/installer/redact"
)

// ExplainRefusal adds to a failure to submit a job what FATE-Flow's answer means.
func ExplainRefusal(failure error, refused *flow.Error) error {
	r := flow.Explain(refused.Message)
	evidence := []cause.Evidence{{Kind: cause.Refused, Where: "FATE-Flow's answer", Role: r.Role, Party: r.Party,
		Text: redact.Printable(r.Reason)}}
	if r.Retcode != "" {
		evidence = append(evidence, cause.Evidence{Kind: cause.Refused, Text: "retcode " + r.Retcode})
	}
	for _, line := range cause.Lines(flow.Unescape(refused.Message)) {
		evidence = append(evidence, cause.Evidence{Kind: cause.Refused,
			Text: redact.Printable(strings.TrimSpace(line))})
	}
	findings := cause.Find(evidence)
	if len(findings) == 0 {
		if refused.Job != "" {
			return exit.DefaultHint(failure, "fate-installer job why "+refused.Job)
		}
		return failure
	}
	first := findings[0]
	return exit.Hint(fmt.Errorf("%w\n%s (%s): %s", failure, first.Title, first.ID, first.Explanation), first.Remedy)
}
