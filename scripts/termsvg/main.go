// Command termsvg makes a picture of a terminal from one of the golden sessions of package installer:
//
//	termsvg [-columns 80] [-title TEXT] FILE > picture.svg
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	columns := flag.Int("columns", 80, "width of the terminal")
	title := flag.String("title", "fate-installer", "what the picture shows, for people who cannot see it")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	text, err := os.ReadFile(flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(picture(visible(string(text)), *columns, *title))
}

// visible is a golden screen as the terminal got it: its sequences are written with ^[.
func visible(golden string) string { return strings.ReplaceAll(golden, "^[", "\x1b") }
