package supervisor

import "time"

type rotator struct{}

const rotateEvery = time.Second
