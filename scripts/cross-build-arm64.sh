#!/usr/bin/env bash
# Builds node_modules for a 64-bit Raspberry Pi on a bigger machine, so that the board compiles nothing:
#
#   scripts/cross-build-arm64.sh node_modules-arm64.tar.gz
#   scripts/install-board.sh --node-modules node_modules-arm64.tar.gz      (on the board)
#
# All JavaScript is the lock file's; the native add-ons (TensorFlow's, SQLite's, I2C's, GPIO's) are compiled for arm64 against this
# Node.js's headers, so the board needs a Node.js of the same major version. TensorFlow's library is the arm64 wheel's
# (scripts/libtensorflow-from-pypi). About two minutes of one core. Nothing outside the output and npm's caches is written.
# Needs the compiler: sudo apt-get install g++-aarch64-linux-gnu
# With --keep DIR the folder stays unpacked in DIR (for tests).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keep=
[ "${1-}" = --keep ] && { keep=$2; shift 2; }
out=${1-}
[ -n "$out$keep" ] || { sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 64; }
cross=aarch64-linux-gnu
[ -z "$out" ] || out=$(realpath -m "$out") # before the folder changes
command -v $cross-g++ >/dev/null || { echo "missing: $cross-g++. sudo apt-get install g++-$cross" >&2; exit 69; }

work=${keep:-$(mktemp -d)}
mkdir -p "$work/scripts"
[ -n "$keep" ] || trap 'rm -rf "$work"' EXIT
cp "$root/package.json" "$root/package-lock.json" "$work/"
[ -f "$root/.npmrc" ] && cp "$root/.npmrc" "$work/"
cp -r "$root/scripts/libtensorflow-from-pypi" "$work/scripts/"
cd "$work"
echo 'packages (no scripts yet) …' >&2
npm ci --omit=dev --ignore-scripts --os=linux --cpu=arm64 --no-audit --no-fund --loglevel=error >&2

headers=$(dirname "$(dirname "$(node -p process.execPath)")")
[ -e "$headers/include/node/node_api.h" ] && export npm_config_nodedir=$headers
export npm_config_arch=arm64 npm_config_build_from_source=true
export CC=$cross-gcc CXX=$cross-g++ AR=$cross-ar LINK=$cross-g++ STRIP=$cross-strip
echo 'TensorFlow library for arm64 …' >&2
TARGET_ARCH=aarch64 bash scripts/libtensorflow-from-pypi/stage.sh
echo 'add-ons …' >&2
npm rebuild --foreground-scripts @tensorflow/tfjs-node better-sqlite3 i2c-bus epoll >build.log 2>&1 ||
  { tail -40 build.log >&2; exit 70; }
# classic-level brings an add-on for every platform.
find node_modules -path '*/prebuilds/*' -prune ! -name linux-arm64 -exec rm -rf {} +
for add_on in $(find node_modules -path '*/obj.target' -prune -o -name '*.node' -print); do
  [ "$(od -An -t x2 -j 18 -N 2 "$add_on" | tr -d ' ')" = 00b7 ] || # e_machine: EM_AARCH64
    { echo "$add_on is not for arm64" >&2; exit 70; }
done
find node_modules \( -name obj.target -o -name '*.map' -o -name build-tmp-napi-v8 \) -prune -exec rm -rf {} +
[ -z "$out" ] || { tar -czf "$out.tmp" node_modules && mv "$out.tmp" "$out"; }
echo "done: $(du -sh node_modules | cut -f1) for arm64, Node.js $(node -p process.versions.modules)" >&2
