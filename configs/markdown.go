package configs

import "strings"

// MarkdownBlocks returns the pipeline files shown in a Markdown text: its yaml blocks with a source
// key. Each keeps its line numbers, since empty lines stand for what comes before it.
func MarkdownBlocks(text string) []string {
	var blocks []string
	var block []string // from the first line of the text
	fence := ""
	isYAML := false
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence = trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
			language := strings.Fields(strings.TrimLeft(trimmed, "`") + " -")[0]
			isYAML = language == "yaml" || language == "yml"
			block = make([]string, i+1)
		case fence != "" && trimmed == fence:
			if isYAML && hasSource(block) {
				blocks = append(blocks, strings.Join(block, "\n")+"\n")
			}
			fence = ""
		case fence != "":
			block = append(block, line)
		}
	}
	return blocks
}

func hasSource(lines []string) bool {
	for _, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "source:") {
			return true
		}
	}
	return false
}
