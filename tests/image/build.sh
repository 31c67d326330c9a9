#!/usr/bin/env bash
# build.sh DIR: builds the Dockerfile with buildah, on a stand-in for its base and without network, and writes
# DIR/irsa-sidecar.tar, an OCI archive. All that it keeps lies in DIR. It enters namespaces of its own, so that nothing
# stays mounted and nothing goes on running, whatever ends it.
set -euo pipefail
if [ "${2-}" != inside ]; then
  exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$1" inside
fi
# The first process of a namespace does not hear signals that it did not ask for.
trap 'exit 130' INT TERM

sources=$PWD
mkdir -p "$1" && cd "$1"
export TMPDIR=$PWD/tmp CONTAINERS_STORAGE_CONF=$PWD/storage.conf BUILDAH_ISOLATION=chroot
# What a build leaves here that did not come to its end, mounts that are no more among it, counts for nothing.
rm -rf tmp run
mkdir tmp
cat >storage.conf <<CONFIG
[storage]
driver = "overlay"
graphroot = "$PWD/storage"
runroot = "$PWD/run"
CONFIG
# Buildah notes down where it saw what, and not where it is told to.
mkdir -p /var/lib/containers
mount -t tmpfs none /var/lib/containers
buildah rm --all >/dev/null

base=$(sed -n 's/^ARG RUST_IMAGE=//p' "$sources/Dockerfile")
stamp=$(echo "$base" | cat - "$sources/tests/image/stand-in.sh" | sha256sum)
if [ "$(cat base.stamp 2>/dev/null)" != "$stamp" ] || ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  echo "making a stand-in for $base"
  "$sources/tests/image/stand-in.sh" "$base"
  echo "$stamp" >base.stamp
fi

stamp=$(sha256sum <"$sources/Cargo.lock")
if [ "$(cat vendor.stamp 2>/dev/null)" != "$stamp" ]; then
  (cd "$sources" && cargo vendor --quiet --locked --versioned-dirs "$OLDPWD/vendor" >/dev/null)
  echo "$stamp" >vendor.stamp
fi

rust=$(cd "$sources" && rustc --print sysroot)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$sources/Cargo.toml" | head -1)
revision=$(git -C "$sources" describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || echo unknown)
time=${SOURCE_DATE_EPOCH:-$(git -C "$sources" log -1 --format=%ct 2>/dev/null || echo 0)}
build() {
  unshare --net buildah bud --pull-never --layers \
    --volume "$rust:/usr/local/rustup:ro" --volume "$PWD/vendor:/usr/local/cargo/vendor:ro" \
    --build-arg SOURCE_DATE_EPOCH="$time" --build-arg REVISION="$revision" \
    --build-arg CREATED="$(date --utc --date="@$time" +%FT%TZ)" "$@" "$sources"
}
# Named, so that what no name needs any more can go.
build --target builder --tag localhost/builder
build --tag "localhost/irsa-sidecar:$version"
buildah rmi --prune >/dev/null
buildah push --quiet "localhost/irsa-sidecar:$version" "oci-archive:$PWD/tmp/irsa-sidecar.tar:irsa-sidecar:$version"
mv tmp/irsa-sidecar.tar .
rm -rf tmp
