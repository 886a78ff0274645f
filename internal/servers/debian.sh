#!/usr/bin/env bash
# Unpacks Debian packages of any suite, with all that they depend on, into a directory: nothing is installed.
#   debian.sh DIRECTORY SUITE LEAVE_OUT PACKAGE...
# LEAVE_OUT is a pattern of whole package names that are not wanted. Mirror, keys and proxies are those of the
# machine's own apt, which is asked through a state of its own that knows the one suite and an empty machine.
set -euo pipefail
prefix=$1 suite=$2 leave_out=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v apt-get >/dev/null || { echo "needs apt-get, so a Debian or Ubuntu machine" >&2; exit 1; }

own=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Component: main' |
  awk -v own="$own" '$2 == own { best = $1 } !any { any = $1 } END { print best ? best : any }')
[ -n "$mirror" ] || { echo "the machine's apt has no source for its own release" >&2; exit 1; }

mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/debs"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/sources.list"
{
  [ ! -e /etc/apt/apt.conf ] || echo '#include /etc/apt/apt.conf;'
  cat <<CONF
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons-small;
#clear Acquire::IndexTargets::deb::DEP-11-icons;
#clear Acquire::IndexTargets::deb::DEP-11-icons-large;
Dir::State "$work/state";
Dir::State::status "/dev/null";
Dir::Cache "$work/cache";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Languages "none";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
CONF
} >"$work/main.conf"
echo "Dir::Etc::main \"$work/main.conf\";" >"$work/apt.conf" # read last, so it wins over the machine's own
export APT_CONFIG=$work/apt.conf

apt-get -qq update
names=$(apt-get -qq install -y --print-uris "$@" | sed -n "s/^'[^']*' \([^_]*\)_.*/\1/p" | grep -vxE "$leave_out")
cd "$work/debs"
# shellcheck disable=SC2086 # one word for each package
apt-get -qq download $names
for deb in *.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$prefix" --no-same-owner --keep-directory-symlink \
    --exclude=./usr/share/{doc,man,locale,lintian,info} --exclude=./etc --exclude=./var
done
