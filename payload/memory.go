package payload

import "runtime/debug"

// SaveMemory has garbage collected early for the rest of the process. Packing and unpacking hold a few large buffers
// for all of their time: to wait until there is as much garbage as that would double the memory.
func SaveMemory() { debug.SetGCPercent(20) }
