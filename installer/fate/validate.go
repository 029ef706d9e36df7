package fate

func (c *Cluster) validate(problems *Problems) {}

func (s *Spec) check(problems *Problems) {}
