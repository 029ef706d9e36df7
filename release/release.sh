#!/bin/bash
# Builds the files of a release into dist/: one binary per architecture, without payload, the lock files to build
# appliances from, and SHA256SUMS.
# The same commit gives the same bytes; a check of that is part of the release.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: release.sh VERSION}
# PUBKEY, of the form RWQ..., makes the programs accept only appliances that its owner signed.
ldflags="-s -w -buildid= -X main.version=$version${PUBKEY:+ -X fate-installer/payload.compiledKey=$PUBKEY}"
rm -rf dist
mkdir -p dist
build() { # build ARCH FILE
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 go build -trimpath -buildvcs=false \
		-ldflags "$ldflags" -o "$2" ./installer
}
for arch in amd64 arm64; do
	build "$arch" "dist/fate-installer-$version-linux-$arch"
	build "$arch" dist/again
	cmp "dist/fate-installer-$version-linux-$arch" dist/again
	rm dist/again
done
cp LICENSE README.md README.zh.md CHANGELOG.md release/*.lock.yaml dist/
(cd dist && sha256sum -- * >SHA256SUMS)
ls -l dist
