package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// codeUnknown is the answer of Python's gRPC for a call whose function has thrown.
const codeUnknown = 2

// AskFlow has a worker of the FATE-Flow at addr, host:port of its gRPC port, answer a request that costs nothing: for
// its version. Other parties' requests come in there (UnaryService of fate_flow/utils/grpc_utils.py, the same from
// FATE 1.5 to 1.11), and so do those of a job's own party, by way of rollsite; a pool of five workers for each
// processor carries them out. When jobs that hang hold all of them no job can start, and the call waits until ctx ends.
func AskFlow(ctx context.Context, addr string) error {
	r := &Rollsite{Addr: addr}
	body, err := json.Marshal(map[string]string{"module": "FATE"})
	if err != nil {
		return err
	}
	_, err = r.call(ctx, unaryPath, packet{Operator: "POST", Key: "/v1/version/get", Value: body})
	var status *StatusError
	switch {
	case errors.As(err, &status) && status.Code == codeUnknown:
		return nil // a worker has tried
	case ctx.Err() != nil || errors.As(err, &status) && status.Code == codeDeadline:
		return fmt.Errorf("%w: FATE-Flow at %s has not taken a call", ErrNoWorker, addr)
	case err != nil:
		return fmt.Errorf("FATE-Flow at %s takes no gRPC call: %w", addr, err)
	}
	return nil
}

// ErrNoWorker is when nothing takes a call that was accepted.
var ErrNoWorker = errors.New("no free worker")
