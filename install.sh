#!/bin/sh
# Installs samforge and samforge-bake from a release, after checking the archive's checksum:
#
#   curl -fsSL https://github.com/samforge/samforge/releases/latest/download/install.sh | sh
#
# Options, after `sh -s --`:
#   -v VERSION   a version, such as v1.2.3; the latest one by default
#   -d FOLDER    where the programs go: by default /usr/local/bin if it can be written, else ~/.local/bin
#   -u ADDRESS   where releases are, for a mirror of https://github.com/samforge/samforge/releases
set -eu

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

# The system and architecture as archives are named.
platform() {
  system=$(uname -s) machine=$(uname -m)
  case $system in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    MINGW* | MSYS* | CYGWIN*) os=windows ;;
    *) os= ;;
  esac
  case $machine in
    x86_64 | amd64) arch=amd64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) arch= ;;
  esac
  [ -n "$os" ] && [ -n "$arch" ] || fail "there is no release for $system on $machine, only for Linux, macOS and Windows on amd64 and arm64." \
    "Build it with Go (go install github.com/samforge/samforge/cmd/samforge@latest), or run samforge's container image"
}

# download ADDRESS FILE
download() {
  if command -v curl >/dev/null; then
    curl -fsSL --retry 3 -o "$2" "$1"
  elif command -v wget >/dev/null; then
    wget -q -O "$2" "$1"
  else
    fail "neither curl nor wget is here: install one of them"
  fi || fail "$1 cannot be downloaded: is there such a version, and is the address reachable from here?"
}

# programs fails if a program that unpacks or checks the archive is missing.
programs() {
  command -v sha256sum >/dev/null || command -v shasum >/dev/null ||
    fail "neither sha256sum nor shasum is here, and without one the archive cannot be checked: install coreutils or perl"
  unpack=tar
  [ "$os" != windows ] || unpack=unzip
  command -v $unpack >/dev/null || fail "$unpack, which unpacks the archive, is not here: install it"
}

# choose_folder sets folder, and fails if nothing can be written to it.
choose_folder() {
  if [ -z "$folder" ]; then
    folder=/usr/local/bin
    if [ ! -w "$folder" ]; then
      [ -n "${HOME:-}" ] || fail "/usr/local/bin cannot be written, and HOME is not set: say with -d FOLDER where the programs go"
      folder=$HOME/.local/bin
    fi
  fi
  at=$folder
  while [ ! -e "$at" ]; do at=$(dirname "$at"); done
  { [ -d "$at" ] && [ -w "$at" ]; } || fail "$at cannot be written: name another folder with -d FOLDER, or run this as a user who may write there"
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

usage() {
  fail "$1usage: install.sh [-v VERSION] [-d FOLDER] [-u ADDRESS]"
}

main() {
  version=latest folder= releases=https://github.com/samforge/samforge/releases
  while getopts v:d:u: option; do
    case $option in
      v) version=$OPTARG ;;
      d) folder=$OPTARG ;;
      u) releases=${OPTARG%/} ;;
      *) usage "" ;;
    esac
  done
  shift $((OPTIND - 1))
  [ $# -eq 0 ] || usage "$1 is no option (a version is -v $1); "
  platform
  programs
  choose_folder
  case $version in
    latest) from=$releases/latest/download ;;
    v*) from=$releases/download/$version ;;
    *) from=$releases/download/v$version ;;
  esac

  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  download "$from/checksums.txt" "$work/checksums.txt"
  archive=samforge_${os}_$arch.tar.gz
  [ $os != windows ] || archive=samforge_${os}_$arch.zip
  want=$(sed -n "s/  $archive\$//p" "$work/checksums.txt")
  [ -n "$want" ] || fail "$from/checksums.txt has no $archive: this release has none for $os on $arch, or $releases is no complete mirror. Take another version with -v"
  download "$from/$archive" "$work/$archive"
  got=$(sha256 "$work/$archive")
  [ "$got" = "$want" ] || fail "$from/$archive has the checksum $got, and checksums.txt says $want: try again, and if it stays so, do not use it"

  mkdir -p "$work/unpacked" "$folder"
  case $archive in
    *.zip) unzip -q "$work/$archive" -d "$work/unpacked" ;;
    *) tar -xzf "$work/$archive" -C "$work/unpacked" ;;
  esac
  for program in "$work"/unpacked/samforge*; do
    # Renamed into place, so that a samforge that runs now goes on.
    name=${program##*/}
    cp "$program" "$folder/.$name.new"
    chmod 755 "$folder/.$name.new"
    mv -f "$folder/.$name.new" "$folder/$name"
  done
  "$folder/samforge" version
  case :$PATH: in
    *:"$folder":*) ;;
    *) echo "samforge is in $folder, which is not in PATH: add it, as with: export PATH=\"$folder:\$PATH\"" ;;
  esac
}

main "$@"
