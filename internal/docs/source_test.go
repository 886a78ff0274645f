package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// sources parses the Go files of a directory tree, by directory. Test files are left out unless asked for.
func sources(t *testing.T, dir string, tests bool) map[string][]*ast.File {
	t.Helper()
	out := map[string][]*ast.File{}
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") != tests {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err == nil {
			out[filepath.Dir(path)] = append(out[filepath.Dir(path)], file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// given finds the texts that a package gives a name to: as a field of a literal, by an assignment, or as the
// argument of a function whose parameter is called so.
type given struct {
	field, parameter string
	places           map[string]int // of the parameter, by function
	found            map[string]bool
}

// texts returns them.
func texts(files []*ast.File, field, parameter string) map[string]bool {
	g := &given{field: field, parameter: parameter, places: map[string]int{}, found: map[string]bool{}}
	for _, visit := range []func(ast.Node){g.function, g.use} {
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool { visit(n); return true })
		}
	}
	return g.found
}

// function notes where a function, named or assigned to a name, takes the parameter.
func (g *given) function(n ast.Node) {
	switch n := n.(type) {
	case *ast.FuncDecl:
		g.note(n.Name.Name, n.Type)
	case *ast.AssignStmt:
		for i, right := range n.Rhs {
			if name, ok := n.Lhs[min(i, len(n.Lhs)-1)].(*ast.Ident); ok {
				if f, ok := right.(*ast.FuncLit); ok {
					g.note(name.Name, f.Type)
				}
			}
		}
	}
}

func (g *given) note(function string, f *ast.FuncType) {
	at := 0
	for _, field := range f.Params.List {
		for _, name := range field.Names {
			if name.Name == g.parameter {
				g.places[function] = at
			}
			at++
		}
	}
}

func (g *given) use(n ast.Node) {
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if name, ok := n.Key.(*ast.Ident); ok && name.Name == g.field {
			g.add(n.Value)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if s, ok := left.(*ast.SelectorExpr); ok && s.Sel.Name == g.field && i < len(n.Rhs) {
				g.add(n.Rhs[i])
			}
		}
	case *ast.ValueSpec: // a constant that several places use, as codeLost
		for i, name := range n.Names {
			rest, ok := strings.CutPrefix(name.Name, g.parameter)
			if ok && rest != strings.ToLower(rest) && i < len(n.Values) {
				g.add(n.Values[i])
			}
		}
	case *ast.CallExpr:
		g.call(n)
	}
}

// call takes the argument of the parameter, and what follows the parameter's name in a log line.
func (g *given) call(n *ast.CallExpr) {
	if at, ok := g.places[nameOf(n.Fun)]; ok && at < len(n.Args) {
		g.add(n.Args[at])
	}
	for i, a := range n.Args {
		if text, ok := literal(a); ok && text == g.parameter && i+1 < len(n.Args) {
			g.add(n.Args[i+1])
		}
	}
}

func (g *given) add(e ast.Expr) {
	if text, ok := literal(e); ok {
		g.found[text] = true
	}
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}
