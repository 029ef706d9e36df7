package step

import (
	"context"
	"time"

	"fate-installer/installer/host"
)

// JobsSince lists the jobs of a FATE-Flow database that were made after a time, oldest first, and counts the models. A
// database without FATE-Flow's tables has none.
func (s SchemaUpgrade) JobsSince(ctx context.Context, h *host.Host, since time.Time) (jobs []string, models int, err error) {
	db, err := openDatabase(h, s.Address, s.User, s.Password, s.Schema)
	if err != nil {
		return nil, 0, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT f_job_id FROM t_job WHERE f_create_time > ? GROUP BY f_job_id ORDER BY MIN(f_create_time)", since.UnixMilli())
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
	err = db.QueryRowContext(ctx, "SELECT COUNT(DISTINCT f_model_id, f_model_version) FROM t_machine_learning_model_info WHERE f_create_time > ?",
		since.UnixMilli()).Scan(&models)
	if serverError(err, errNoSuchTable) {
		err = nil
	}
	return jobs, models, err
}
