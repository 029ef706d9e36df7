package flow

// The jobs of the minimal test, as FATE's examples for the second version of its job description have them.

// algorithm is a component that trains a model.
type algorithm struct {
	name       string // for people
	component  string
	module     string
	arbiter    bool // needs a third side, which keeps the key
	parameters map[string]any
}

// The parameters are those of upstream's test; only the first weights are fixed instead of drawn, so that the same data
// gives the same model.
var (
	logisticRegression = algorithm{"hetero logistic regression", "hetero_lr_0", "HeteroLR", true, map[string]any{
		"penalty": "L2", "optimizer": "nesterov_momentum_sgd", "tol": 1e-4, "alpha": 0.01, "max_iter": 30,
		"early_stop": "weight_diff",
		"batch_size": -1, "learning_rate": 0.15, "init_param": map[string]any{"init_method": "zeros"},
	}}
	secureBoost = algorithm{"hetero SecureBoost", "hetero_secure_boost_0", "HeteroSecureBoost", false, map[string]any{
		"task_type": "classification", "objective_param": map[string]any{"objective": "cross_entropy"},
		"num_trees": 3, "tree_param": map[string]any{"max_depth": 3},
	}}
)

const (
	reader       = "reader_0"
	transform    = "data_transform_0"
	intersection = "intersection_0"
	evaluation   = "evaluation_0"
)

// dsl is the chain of components: read, make vectors, find the common ids, train, evaluate.
func (a algorithm) dsl() any {
	type object = map[string]any
	data := func(key, from string) object { return object{"data": object{key: []string{from + ".data"}}} }
	withModel := object{"data": []string{"data"}, "model": []string{"model"}}
	onlyData := object{"data": []string{"data"}}
	return object{"components": object{
		reader:       object{"module": "Reader", "output": onlyData},
		transform:    object{"module": "DataTransform", "input": data("data", reader), "output": withModel},
		intersection: object{"module": "Intersection", "input": data("data", transform), "output": onlyData},
		a.component:  object{"module": a.module, "input": data("train_data", intersection), "output": withModel},
		evaluation:   object{"module": "Evaluation", "input": data("data", a.component), "output": onlyData},
	}}
}

// conf is the configuration of a training.
func (m Min) conf(a algorithm) any {
	type object = map[string]any
	parameters := func(t Table, label bool) object {
		return object{reader: t.source(), transform: object{"with_label": label, "output_format": "dense"}}
	}
	guest, host := m.Data.Tables("")
	ofGuest, ofHost := parameters(guest, true), parameters(host, false)
	ofHost[evaluation] = object{"need_run": false} // it has no labels
	return m.base(a, object{"job_type": "train", "task_cores": m.TaskCores}, object{
		"common": object{a.component: a.parameters, evaluation: object{"eval_type": "binary"}},
		"role":   object{"guest": object{"0": ofGuest}, "host": object{"0": ofHost}},
	})
}

// predictConf is the configuration of a prediction with a deployed model, which brings its own components.
func (m Min) predictConf(a algorithm, model Model) any {
	type object = map[string]any
	guest, host := m.Data.Tables("")
	return m.base(a, object{"job_type": "predict", "model_id": model.ID, "model_version": model.Version,
		"task_cores": m.TaskCores}, object{
		"role": object{"guest": object{"0": object{reader: guest.source()}},
			"host": object{"0": object{reader: host.source()}}},
	})
}

func (t Table) source() any {
	return map[string]any{"table": map[string]any{"name": t.Name, "namespace": t.Namespace}}
}

func (m Min) base(a algorithm, job, parameters map[string]any) any {
	role := map[string]any{"guest": []int{m.Guest}, "host": []int{m.Host}}
	if a.arbiter {
		role["arbiter"] = []int{m.Arbiter}
	}
	return map[string]any{
		"dsl_version": 2, "initiator": map[string]any{"role": "guest", "party_id": m.Guest}, "role": role,
		"job_parameters": map[string]any{"common": job}, "component_parameters": parameters,
	}
}
