#!/usr/bin/env bash
# stand-in.sh IMAGE: makes what `make image` builds on where the Dockerfile's base cannot be pulled: the packages that the
# official Rust image (slim) has and that a build needs, from the Debian that this machine takes its packages from. Rust
# and the crates are not in it: build.sh mounts them, at the paths that are set here.
set -euo pipefail
image=$1 apt=$PWD/apt

# Apt itself finds out what is needed, told that nothing is installed.
mkdir -p "$apt/partial"
: >"$apt/status"
get=(apt-get -qq --no-install-recommends -o Dir::State::status="$apt/status" -o Dir::Cache::archives="$apt"
  -o APT::Sandbox::User=root -o Debug::NoLocking=true)
packages=(gcc libc6-dev ca-certificates coreutils findutils dash)
"${get[@]}" --yes --download-only install "${packages[@]}" ||
  { apt-get -qq update && "${get[@]}" --yes --download-only install "${packages[@]}"; }

container=$(buildah from scratch)
root=$(buildah mount "$container")
# A merged /usr, as Debian has it; links that are there are kept.
for dir in bin sbin lib lib64; do
  mkdir -p "$root/usr/$dir"
  ln -s "usr/$dir" "$root/$dir"
done
for package in "$apt"/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar --extract --keep-directory-symlink --directory "$root"
done
# What the packages' scripts would do.
ln -s gcc "$root/usr/bin/cc"
cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
rm -r "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale"
mkdir -p "$root/tmp" "$root/usr/local/rustup" "$root/usr/local/cargo/vendor"
cat >"$root/usr/local/cargo/config.toml" <<'CONFIG'
[source.crates-io]
replace-with = "vendor"
[source.vendor]
directory = "/usr/local/cargo/vendor"
[net]
offline = true
CONFIG
buildah umount "$container" >/dev/null
buildah config --env CARGO_HOME=/usr/local/cargo \
  --env PATH=/usr/local/rustup/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit --quiet --rm "$container" "$image" >/dev/null
rm -r "$apt"
