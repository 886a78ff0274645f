//go:build snippets

package snippets

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestPythonWritesBothRowsOrNone(t *testing.T) {
	packages := pip(t)
	for _, file := range []string{"sqlalchemy_outbox.py", "django_outbox.py"} {
		t.Run(file, func(t *testing.T) {
			t.Setenv("PYTHONPATH", packages)
			writesBothOrNone(t, database(t), func(title string) *exec.Cmd { return exec.Command("python3", file, title) })
		})
	}
}

func pip(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	output(t, exec.Command("python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", dir, "-r", "requirements.txt"))
	return dir
}

func TestNodeWritesBothRowsOrNone(t *testing.T) {
	dir := t.TempDir() // Node looks for libraries beside the program
	for _, file := range []string{"package.json", "pg.mjs", "schema.prisma", "prisma.mjs"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(read(t, file)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	inside := func(name string, args ...string) {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		output(t, cmd)
	}
	inside("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts")
	// Making the client takes no engine, but Prisma would fetch one that changes schemas.
	t.Setenv("PRISMA_SCHEMA_ENGINE_BINARY", os.Args[0])
	inside("npx", "--no-install", "prisma", "generate", "--schema", "schema.prisma")
	for _, file := range []string{"pg.mjs", "prisma.mjs"} {
		t.Run(file, func(t *testing.T) {
			writesBothOrNone(t, database(t), func(title string) *exec.Cmd { return exec.Command("node", filepath.Join(dir, file), title) })
		})
	}
}

func TestJavaWritesBothRowsOrNone(t *testing.T) {
	classpath := maven(t)
	for _, class := range []string{"Jpa", "Jdbc"} {
		t.Run(class, func(t *testing.T) {
			writesBothOrNone(t, database(t), func(title string) *exec.Cmd { return java(classpath, class, title) })
		})
	}
	t.Run("Consumer", func(t *testing.T) {
		appliesOnce(t, database(t), java(classpath, "Consumer"))
		refusesWithoutID(t, database(t), java(classpath, "Consumer"))
	})
}

func java(classpath string, args ...string) *exec.Cmd {
	return exec.Command("java", append([]string{"-Xmx128m", "-cp", classpath}, args...)...)
}

func maven(t *testing.T) (classpath string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("java")); err != nil {
		t.Fatal(err)
	}
	libraries := filepath.Join(dir, "libraries")
	output(t, exec.Command("mvn", "-q", "-B", "-f", filepath.Join(dir, "pom.xml"), "compile", "dependency:copy-dependencies", "-DoutputDirectory="+libraries))
	return filepath.Join(dir, "target", "classes") + ":" + filepath.Join(libraries, "*")
}

// What follows has no runtime where this runs: it is read by a parser of its language.

const parse = `
import sys, tree_sitter, tree_sitter_c_sharp, tree_sitter_ruby
grammar = {"cs": tree_sitter_c_sharp, "rb": tree_sitter_ruby}[sys.argv[1].rsplit(".", 1)[1]]
tree = tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse(open(sys.argv[1], "rb").read())
if tree.root_node.has_error:
    sys.exit(str(tree.root_node))
`

func TestCSharpAndRubyAreWellFormed(t *testing.T) {
	t.Setenv("PYTHONPATH", pip(t))
	for _, file := range []string{"efcore.cs", "active_record.rb"} {
		output(t, exec.Command("python3", "-c", parse, file))
		broken := filepath.Join(t.TempDir(), file)
		if err := os.WriteFile(broken, []byte(read(t, file)+"\nclass {"), 0o644); err != nil {
			t.Fatal(err)
		}
		if exec.Command("python3", "-c", parse, broken).Run() == nil {
			t.Errorf("the parser finds nothing wrong with a broken %s", file)
		}
	}
}
