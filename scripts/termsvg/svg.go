package main

import (
	"fmt"
	"html"
	"regexp"
	"strings"

	"fate-installer/installer/output"

	"github.com/rivo/uniseg"
)

// The measures of a picture, in pixels. A character of the fonts is 0.6 as wide as it is high, or is made so.
const (
	fontSize   = 14
	cellWidth  = 8.4
	lineHeight = 19
	margin     = 16
	titleBar   = 30
)

// colours are those of the parameters of SGR that this program writes, on a dark ground.
var colours = map[string]string{"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "2": "#8b949e"}

// sgr is a sequence of colours.
var sgr = regexp.MustCompile(`\x1b\[([0-9;]*)m`)

// picture is what a terminal shows, as an SVG with text that can be selected and without anything from elsewhere.
// prompt is what a line that was typed begins with.
func picture(screen string, columns int, title string) string {
	lines := strings.Split(strings.TrimRight(screen, "\n"), "\n")
	width := int(float64(columns)*cellWidth) + 2*margin
	height := titleBar + len(lines)*lineHeight + margin
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">
<title>%s</title>
<style>
text { font: %dpx "DejaVu Sans Mono", "Noto Sans Mono CJK SC", "WenQuanYi Micro Hei Mono", "Sarasa Mono SC", monospace;
  fill: #e6edf3; white-space: pre; }
.typed { font-weight: bold; }
</style>
<rect width="%d" height="%d" rx="8" fill="#0d1117"/>
<circle cx="18" cy="16" r="5" fill="#ff5f57"/>
<circle cx="36" cy="16" r="5" fill="#febc2e"/>
<circle cx="54" cy="16" r="5" fill="#28c840"/>
`, width, height, width, height, html.EscapeString(title), fontSize, width, height)
	typed := false
	for i, line := range lines {
		begins := strings.HasPrefix(line, "$ ")
		before := i > 0 && typed && output.Width(lines[i-1]) >= columns-1
		typed = begins || before
		y := titleBar + i*lineHeight + fontSize
		for _, run := range runsOf(line) {
			class := ""
			if typed {
				class = ` class="typed"`
			}
			if fill := colours[run.style]; fill != "" {
				class += fmt.Sprintf(` fill="%s" style="fill:%s"`, fill, fill)
			}
			x, long := margin+float64(run.column)*cellWidth, float64(run.cells)*cellWidth
			fmt.Fprintf(&out, `<text xml:space="preserve" x="%.1f" y="%d" textLength="%.1f" `+
				`lengthAdjust="spacingAndGlyphs"%s>%s</text>`+"\n", x, y, long, class, html.EscapeString(run.text))
		}
	}
	out.WriteString("</svg>\n")
	return out.String()
}

// run is text of one style and of characters of one width. Each has its place, so that columns stay below each other
// whatever fonts there are.
type run struct {
	text, style   string
	column, cells int
}

func runsOf(line string) []run {
	var runs []run
	column, style := 0, ""
	for line != "" {
		if found := sgr.FindStringSubmatchIndex(line); found != nil && found[0] == 0 {
			if style = line[found[2]:found[3]]; style == "0" {
				style = ""
			}
			line = line[found[1]:]
			continue
		}
		cluster, rest, width, _ := uniseg.FirstGraphemeClusterInString(line, -1)
		last := len(runs) - 1
		if last < 0 || runs[last].style != style ||
			runs[last].cells != width*uniseg.GraphemeClusterCount(runs[last].text) {
			runs = append(runs, run{"", style, column, 0})
			last++
		}
		runs[last].text += cluster
		runs[last].cells += width
		column += width
		line = rest
	}
	kept := runs[:0]
	for _, r := range runs {
		if strings.TrimSpace(r.text) != "" {
			kept = append(kept, r)
		}
	}
	return kept
}
