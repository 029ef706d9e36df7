// Package supervisor keeps the processes of a host running: it reads programs in supervisord's ini dialect, starts
// them in the order of their dependencies as each becomes ready, restarts them, stops them with all they forked, and
// finds them again after it was itself killed or replaced.
package supervisor
