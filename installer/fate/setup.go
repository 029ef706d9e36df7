package fate

type setupDoc struct{}

func (c *Cluster) fromSetup(setup *setupDoc, doc *document, problems *Problems) {}
