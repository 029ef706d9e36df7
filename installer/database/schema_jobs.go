package database

import (
	"context"
	"time"

	"fate-installer/installer/host"
)

// FATE-Flow gives a row of t_machine_learning_model_info to every job that succeeded, but for uploads and predictions,
// and to every version that was deployed. A job that trained nothing, as the toy job, has one, too; since 1.9 it is
// distinct from the others by t_pipeline_component_meta, where it has no component but the pipeline itself.
const (
	countModels = "SELECT COUNT(DISTINCT i.f_model_id, i.f_model_version) FROM t_machine_learning_model_info i" +
		" WHERE i.f_create_time > ?"
	withContent = " AND EXISTS (SELECT 1 FROM t_pipeline_component_meta c WHERE c.f_model_id = i.f_model_id" +
		" AND c.f_model_version = i.f_model_version AND c.f_component_name <> 'pipeline')"
)

// JobsSince lists the jobs of a FATE-Flow database that were made after a time, oldest first, and counts the models. A
// database without FATE-Flow's tables has none.
func (s SchemaUpgrade) JobsSince(ctx context.Context, h *host.Host, since time.Time) (
	jobs []string, models int, err error,
) {
	db, err := open(h, s.Address, s.User, s.Password, s.Schema)
	if err != nil {
		return nil, 0, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT f_job_id FROM t_job WHERE f_create_time > ?"+
		" GROUP BY f_job_id ORDER BY MIN(f_create_time), f_job_id", since.UnixMilli())
	if serverError(err, errNoSuchTable) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var job string
		if err := rows.Scan(&job); err != nil {
			return nil, 0, err
		}
		jobs = append(jobs, job)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, err
	}
	for _, query := range []string{countModels + withContent, countModels} {
		err = db.QueryRowContext(ctx, query, since.UnixMilli()).Scan(&models)
		if !serverError(err, errNoSuchTable) {
			return jobs, models, err
		}
	}
	return jobs, 0, nil
}
