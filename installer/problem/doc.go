// Package problem reads text that people hand over, and reports what is wrong with it: Problems have positions and
// remedies, and are reported all at once.
//
// ParseYAML is the only way in which the product parses YAML that it did not write itself: the parser in use builds
// its tree by recursion, and a file of 200 kB can make it take gigabytes, so the shape of the text is bounded first.
package problem
