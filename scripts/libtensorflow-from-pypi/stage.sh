#!/usr/bin/env bash
# Gives @tensorflow/tfjs-node its native library, so that one plain `npm ci` is enough.
#
# npm runs every package's `preinstall` before any package's `install`. This one puts TensorFlow's C library and
# headers (out of the TensorFlow wheel on PyPI, which holds the same C API) where tfjs-node's own install script
# looks, and that script then compiles its add-on against them instead of downloading both.
# It runs twice under two names: as the `preinstall` of this folder's package, a development dependency (npm runs
# the root's own hook too late), and as the `preinstall` of the published package (a tarball cannot hold a `file:`
# dependency).
# Why: one TensorFlow version (2.15.1) on x86-64 and on 64-bit Raspberry Pis, so both compute the same numbers,
# and no download from outside the package registries.
#
# Steps aside (exit 0, tfjs-node then downloads for itself) when this is not Linux, when pip or a C++ compiler is
# missing, when the index cannot be reached, or with QQR_LIBTENSORFLOW=official. A wrong checksum is an error.
# Env: LIBTENSORFLOW_CACHE (default ~/.cache/libtensorflow-pypi), PYTHON (default python3), TARGET_ARCH (default: this
# machine's, as `uname -m` says; another one for a cross build).
set -euo pipefail

version=2.15.1
python=${PYTHON:-python3}
say() { echo "[libtensorflow] $*" >&2; }
step_aside() { say "$*: leaving the download to tfjs-node"; exit 0; }

[ "${QQR_LIBTENSORFLOW:-pypi}" != official ] || step_aside 'QQR_LIBTENSORFLOW=official'
[ "$(uname -s)" = Linux ] || step_aside 'not Linux'
arch=${TARGET_ARCH:-$(uname -m)}
case $arch in
  x86_64)
    wheel=tensorflow-cpu
    sha256=54660c074d7241a503e81edfd9f5ef5af88f64051b72e2945f26318c790f2d26
    ;;
  aarch64)
    wheel=tensorflow-cpu-aws
    sha256=d4c3a3a9363bf42999adedbbd514e3a133be2d62f61fee9cfa46aaefb087c09e
    ;;
  *) step_aside "no wheel for $arch" ;;
esac

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here"
tfjs=$(node -p 'require("node:path").dirname(require.resolve("@tensorflow/tfjs-node/package.json"))' 2>/dev/null) ||
  step_aside 'tfjs-node is not installed here'
if compgen -G "$tfjs/lib/napi-v*/tfjs_binding.node" >/dev/null; then exit 0; fi # compiled already

command -v make >/dev/null && { command -v g++ || command -v c++ || command -v clang++; } >/dev/null ||
  step_aside 'no C++ compiler and make'

# 1. Library and headers in a cache outside node_modules, since `npm ci` wipes node_modules.
cache_root=${LIBTENSORFLOW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/libtensorflow-pypi}
cache=$cache_root/$version-$arch
if [ ! -f "$cache/.complete" ]; then
  "$python" -m pip --version >/dev/null 2>&1 || step_aside "$python has no pip"
  mkdir -p "$cache_root"
  tmp=$(mktemp -d "$cache_root/tmp.XXXXXX")
  trap 'rm -rf "$tmp"' EXIT
  echo "$wheel==$version --hash=sha256:$sha256" >"$tmp/requirements.txt"
  say "downloading $wheel $version for $arch"
  if ! "$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
    --implementation cp --python-version 3.11 --abi cp311 \
    --platform "manylinux2014_$arch" --platform "manylinux_2_17_$arch" \
    --requirement "$tmp/requirements.txt" --dest "$tmp/wheel" 2>"$tmp/pip.log"; then
    cat "$tmp/pip.log" >&2
    if grep -q 'DO NOT MATCH THE HASHES' "$tmp/pip.log"; then exit 1; fi
    step_aside 'pip cannot download it'
  fi
  "$python" "$here/unpack.py" "$tmp"/wheel/*.whl "$tmp/out"
  "${STRIP:-strip}" --strip-unneeded "$tmp"/out/lib/*.so* 2>/dev/null || true # 614 MB → 449 MB
  touch "$tmp/out/.complete"
  [ -f "$cache/.complete" ] || rm -rf "$cache"
  mv -T "$tmp/out" "$cache" 2>/dev/null || [ -f "$cache/.complete" ] # another install may have been faster
fi

# 2. Where tfjs-node's scripts/install.js and binding.gyp look: hard links, copies across file systems.
rm -rf "$tfjs/deps" && mkdir -p "$tfjs/deps"
cp -al "$cache/lib" "$cache/include" "$tfjs/deps/" 2>/dev/null || cp -a "$cache/lib" "$cache/include" "$tfjs/deps/"
# tfjs-node's own hook for a custom library: a 'tf-lib' without an 'addon' makes it compile.
echo "{\"tf-lib\": \"$wheel $version\"}" >"$tfjs/scripts/custom-binary.json"
say "staged TensorFlow $version in $tfjs/deps"
