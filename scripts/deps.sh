#!/bin/bash
# Installs what building, testing and the demo need on Debian 12: packages from the
# machine's own package sources, and a Go new enough for go.mod. Changes nothing when
# all is there. Takes root only when something is missing.
set -euo pipefail

go_version=1.26.8
packages=(
	ca-certificates git make
	gcc libc6-dev                           # go test -race
	debootstrap iproute2 systemd-container  # the lab's hosts
	openjdk-17-jdk-headless python3         # building and testing the stand-ins
	mariadb-server-core openssl             # tests on a real database and with another TLS
	maven                                   # real MySQL servers and its JDBC driver for tests
	nginx python3-yaml zsh                  # tests that what we render is read as it is meant
	chromium-headless-shell                 # tests that look at the report of check in a browser
	fonts-wqy-microhei                      # and at its Chinese
	supervisor unzip xz-utils zstd man-db   # tests that others' tools understand us
)

main() {
	local missing=() package
	for package in "${packages[@]}"; do
		installed "$package" || missing+=("$package")
	done
	local go_needed=false
	go_is_new_enough || go_needed=true
	if $go_needed && ! command -v go >/dev/null; then
		missing+=(golang-go) # old, but able to fetch a newer one with its checksum verified
	fi
	if ((${#missing[@]})); then
		install_packages "${missing[@]}"
	fi
	if $go_needed; then
		install_go
	fi
}

installed() {
	[[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

install_packages() {
	echo "installing $*"
	((EUID == 0)) || die "cannot install packages: run this as root"
	export DEBIAN_FRONTEND=noninteractive
	start_nothing_begin
	apt-get -qq update
	apt-get -qq install --no-install-recommends "$@" >/dev/null
	local service
	for service in supervisor nginx; do # wanted as tools only
		if [[ " $* " == *" $service "* ]]; then
			update-rc.d "$service" disable >/dev/null
		fi
	done
	start_nothing_end
}

# Services of new packages are not started, in the way that Debian provides for it.
policy=/usr/sbin/policy-rc.d

start_nothing_begin() {
	[[ -e $policy ]] && return
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
	trap start_nothing_end EXIT
}

start_nothing_end() {
	if [[ -f $policy && $(tail -n1 $policy) == 'exit 101' ]]; then
		rm -f $policy
	fi
	trap - EXIT
}

# go_is_new_enough asks go itself, in a directory where no go.mod tells it to be
# another version.
go_is_new_enough() {
	local wanted have
	command -v go >/dev/null || return 1
	wanted=$(sed -n 's/^go \([0-9.]*\)$/\1/p' "$(dirname "$0")/../go.mod")
	have=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
	[[ $(printf '%s\n' "$wanted" "${have#go}" | sort -V | head -n1) == "$wanted" ]]
}

# install_go puts the official Go release, as the module golang.org/toolchain, at
# /usr/local/go. The go command checks it against the checksum database.
install_go() {
	echo "installing go $go_version"
	((EUID == 0)) || die "cannot install go $go_version: run this as root"
	[[ ! -e /usr/local/go ]] || die "/usr/local/go holds an older go: remove it, or put go $go_version or later first in PATH"
	local module
	module=golang.org/toolchain@v0.0.1-go$go_version.linux-$(dpkg --print-architecture)
	scratch=$(mktemp -d /usr/local/go.XXXXXX)
	trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
	(cd / && GOTOOLCHAIN=local GOMODCACHE=$scratch GOFLAGS=-modcacherw go mod download "$module") ||
		die "cannot download go $go_version: set GOPROXY to a module proxy that can be reached, or install go $go_version or later"
	# Modules carry no permissions.
	chmod a+x "$scratch/$module"/bin/* "$scratch/$module"/pkg/tool/*/*
	mv "$scratch/$module" /usr/local/go
	ln -sfn /usr/local/go/bin/go /usr/local/go/bin/gofmt /usr/local/bin/
}

die() {
	echo "error: $*" >&2
	exit 1
}

main
