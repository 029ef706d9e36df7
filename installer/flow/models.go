package flow

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
)

// modelTables are the tables whose rows refer to trained models: one for each trained, imported or deployed model, and
// one for each component of it. The second is of FATE 1.9 and later.
var modelTables = []string{"t_machine_learning_model_info", "t_pipeline_component_meta"}

// noSuchTable is the number of MySQL's error (ER_NO_SUCH_TABLE).
const noSuchTable = 1146

// ModelPaths returns the models that rows refer to, as the paths that FATE-Flow gives their files below
// model_local_cache: role#party#model_id/model_version (fate_flow/utils/model_utils.py, gen_party_model_id).
func (d Database) ModelPaths(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	for _, table := range modelTables {
		if err := d.modelPaths(ctx, table, out); err != nil {
			return nil, fmt.Errorf("cannot read %s of FATE-Flow's database: %w", table, err)
		}
	}
	return out, nil
}

func (d Database) modelPaths(ctx context.Context, table string, out map[string]bool) error {
	// #nosec G202 -- the tables are those of modelTables
	rows, err := d.DB.QueryContext(ctx, "SELECT DISTINCT f_role, f_party_id, f_model_id, f_model_version FROM "+table)
	var refused *mysql.MySQLError
	if errors.As(err, &refused) && refused.Number == noSuchTable && table != modelTables[0] {
		return nil
	}
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var role, party, id, version sql.NullString
		if err := rows.Scan(&role, &party, &id, &version); err != nil {
			return err
		}
		out[role.String+"#"+party.String+"#"+id.String+"/"+version.String] = true
	}
	return rows.Err()
}
