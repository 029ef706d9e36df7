package database

import (
	"context"
	"slices"
	"testing"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/schema"
)

// TestJobsSince counts what was made after a time: jobs of several roles once, and models without those of jobs that
// trained nothing, where the release tells them apart.
func TestJobsSince(t *testing.T) {
	const (
		insertJob   = "INSERT INTO t_job (f_job_id, f_role, f_party_id, f_create_time) VALUES "
		insertModel = "INSERT INTO t_machine_learning_model_info" +
			" (f_role, f_party_id, f_job_id, f_model_id, f_model_version, f_create_time) VALUES "
		insertMeta = "INSERT INTO t_pipeline_component_meta" +
			" (f_model_id, f_model_version, f_role, f_party_id, f_component_name) VALUES "
	)
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		b := newSchemaBench(t, s, env)
		for _, c := range []struct {
			release string
			models  int
		}{{"1.8.0", 3}, {"1.9.1", 2}, {"1.11.4", 2}} {
			b.make(schema.Flow, c.release)
			up := b.step(schema.Flow, c.release)
			since := time.UnixMilli(1000)
			b.exec("SET SESSION sql_mode = ''", // columns that are not given are empty
				insertJob+"('1', 'guest', 1, 500), ('3', 'guest', 1, 1200), ('3', 'host', 1, 1201),"+
					" ('2', 'guest', 1, 1100), ('4', 'local', 0, 1300)",
				insertModel+"('guest', 1, '1', 'm', '1', 500), ('guest', 1, '2', 'm', '2', 1101),"+
					" ('guest', 1, '3', 'm', '3', 1201), ('host', 1, '3', 'm', '3', 1202), ('guest', 1, '5', 'm', "+
					"'5', 1400)")
			if c.release != "1.8.0" {
				b.exec(insertMeta + "('m', '1', 'guest', 1, 'lr_0'), ('m', '2', 'guest', 1, 'pipeline')," +
					" ('m', '3', 'guest', 1, 'pipeline'), ('m', '3', 'guest', 1, 'lr_0'), ('m', '3', 'host', 1, " +
					"'lr_0')," +
					" ('m', '5', 'guest', 1, 'lr_0')") // 5 was deployed
			}
			jobs, models, err := up.JobsSince(context.Background(), env.Host, since)
			if want := []string{"2", "3", "4"}; err != nil || !slices.Equal(jobs, want) || models != c.models {
				t.Errorf("%s: jobs %v, want %v; %d models, want %d; %v", c.release, jobs, want, models, c.models, err)
			}
			b.exec("DROP TABLE t_machine_learning_model_info")
			jobs, models, err = up.JobsSince(context.Background(), env.Host, since)
			if err != nil || len(jobs) != 3 || models != 0 {
				t.Errorf("%s without a table of models: %v, %d, %v", c.release, jobs, models, err)
			}
			b.exec("DROP TABLE t_job")
			jobs, models, err = up.JobsSince(context.Background(), env.Host, since)
			if err != nil || len(jobs) != 0 || models != 0 {
				t.Errorf("%s without tables: %v, %d, %v", c.release, jobs, models, err)
			}
		}
	})
}
