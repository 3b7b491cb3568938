#!/usr/bin/env bash
# Installs qqr-edge as a service on a board (Raspberry Pi OS, Debian), from this checkout. Run it again to update:
# it changes only what differs. Configuration and recorded data are never overwritten.
#
#   sudo scripts/install-board.sh                     the agent
#   sudo scripts/install-board.sh --server            the aggregator
#   sudo scripts/install-board.sh --uninstall         services, program and account; keeps /etc/qqr and the state folders
#   sudo scripts/install-board.sh --uninstall --purge these, too: nothing is left but the groups i2c and gpio
#
#   --node-modules FILE  packages built on a bigger machine (scripts/cross-build-arm64.sh): the board compiles nothing
#   --prefix DIR         where the program goes (default /opt/qqr-edge)
#   --no-start           install and enable only
#   --root DIR           into this folder instead of /, without accounts and services: for images
#   --dry-run            say what would be done
#
# Node.js is not installed by this script: 20.19 or newer, from your system or from nodejs.org, must be there.
# Exit status: 0 done, 64 usage, 69 something is missing (it says what), 70 the installation failed.
set -euo pipefail
umask 022 # the service's user reads all of it
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
prefix=/opt/qqr-edge root='' what=agent start=1 dry='' uninstall='' purge='' modules=''
value() { [ $# -gt 1 ] || { echo "install-board: $1 takes a value" >&2; exit 64; }; echo "$2"; }
while [ $# -gt 0 ]; do
  case $1 in
    --server) what=server ;;
    --uninstall) uninstall=1 ;;
    --purge) purge=1 ;;
    --no-start) start= ;;
    --dry-run) dry=1 ;;
    --prefix) prefix=$(value "$@"); shift ;;
    --node-modules) modules=$(value "$@"); shift ;;
    --root) root=$(value "$@"); root=${root%/}; shift ;;
    --help | -h) sed -n '2,21s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "install-board: unknown option $1 (--help shows all)" >&2; exit 64 ;;
  esac
  shift
done
unit=qqr-$what.service
target=$root$prefix

say() { echo "install  $*"; }
fail() { echo "install  $1" >&2; exit "${2:-69}"; }
do_() { if [ -n "$dry" ]; then echo "would    $*"; else "$@"; fi; }
on_host() { if [ -z "$root" ]; then do_ "$@"; fi; }
[ -n "$root$dry" ] || [ "$(id -u)" = 0 ] || fail 'must be run as root: sudo scripts/install-board.sh'

[ -n "$root$dry" ] || command -v systemctl >/dev/null || fail 'systemd is missing: the services need it'

other_unit() { [ $what = agent ] && echo qqr-server.service || echo qqr-agent.service; }

if [ -n "$uninstall" ]; then
  on_host systemctl disable --now --quiet "$unit" 2>/dev/null || true
  do_ rm -f "$root/etc/systemd/system/$unit"
  [ -z "$purge" ] || do_ rm -rf "$root/var/lib/qqr-$what" "$root/etc/qqr/$what.toml"
  if [ ! -e "$root/etc/systemd/system/$(other_unit)" ]; then # the last of the two
    do_ rm -rf "$target" "$root/usr/local/bin/qqr" "$root/etc/sysusers.d/qqr.conf" "$root/etc/udev/rules.d/99-qqr-edge.rules"
    if [ -n "$purge" ]; then
      do_ rm -rf "$root/etc/qqr"
      if [ -z "$root" ] && getent passwd qqr >/dev/null; then do_ userdel qqr; fi
      if [ -z "$root" ] && getent group qqr >/dev/null; then do_ groupdel qqr; fi
    fi
    on_host udevadm control --reload 2>/dev/null || true
  fi
  on_host systemctl daemon-reload
  say "uninstalled $unit${purge:+ and its data}"
  exit 0
fi

node=$(command -v node) || fail 'Node.js is missing: install 20.19 or newer (apt-get install nodejs, or nodejs.org)'
"$node" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
  fail "Node.js $("$node" --version) is too old: 20.19 or newer"
real_node=$(readlink -f "$node")
case $real_node in
  /home/* | /root/* | /run/user/*)
    [ -n "$root" ] || fail "$real_node is a person's own Node.js (nvm?), which the service may not read: install one for the system" ;;
esac
case $(uname -m) in
  aarch64 | x86_64) ;;
  *) fail "$(uname -m) is not supported: TensorFlow needs a 64-bit system (Raspberry Pi OS, 64-bit)" ;;
esac
[ -f "$here/dist/scripts/qqr.js" ] || [ -n "$dry" ] || fail "not built: run 'npm run setup' in $here first" 70
[ -z "$modules" ] || [ -f "$modules" ] || fail "no such file: $modules"
[ -n "$modules$dry" ] || command -v npm >/dev/null || fail 'npm is missing: apt-get install npm, or give --node-modules'
abi=$("$node" -p 'process.versions.modules') # add-ons fit one of these

make_account() {
  if command -v systemd-sysusers >/dev/null; then systemd-sysusers qqr.conf; return; fi
  for group in i2c gpio qqr; do getent group $group >/dev/null || groupadd --system $group; done
  getent passwd qqr >/dev/null ||
    useradd --system --gid qqr --home-dir /var/lib/qqr-agent --no-create-home --shell /usr/sbin/nologin qqr
  usermod --append --groups i2c,gpio qqr
}

# Whether the add-ons below a folder are for this machine and this Node.js.
add_ons_load() { (cd "$1" && "$node" -e "require('better-sqlite3')(':memory:')") >/dev/null 2>&1; }

# 1. The program. Copied beside the old one and exchanged, so that a power cut leaves one of the two.
say "program in $target"
new=$target.new
do_ rm -rf "$new"
do_ mkdir -p "$new"
for part in dist agent server core scripts systemd docs broker-config package.json package-lock.json .npmrc README.md LICENSE; do
  [ -e "$here/$part" ] || continue
  case $part in
    agent | server | core) # the samples and the contract; the program itself is in dist
      (cd "$here" && find "$part" \( -name '*.toml' -o -name '*.proto' \) -print) | while read -r file; do
        do_ mkdir -p "$new/$(dirname "$file")"
        do_ cp "$here/$file" "$new/$file"
      done ;;
    *) do_ cp -r "$here/$part" "$new/" ;;
  esac
done
do_ rm -rf "$new/dist/test" "$new/docs/images"
if [ -n "$modules" ]; then
  say "packages from $modules"
  do_ tar -xzf "$modules" --no-same-owner -C "$new"
elif cmp -s "$here/package-lock.json" "$target/package-lock.json" && [ "$(cat "$target/node_modules/.abi" 2>/dev/null)" = "$abi" ]; then
  say 'packages unchanged'
  do_ cp -al "$target/node_modules" "$new/"
elif [ -d "$here/node_modules" ] && add_ons_load "$here"; then
  say 'packages of this checkout, compiled already'
  do_ cp -r "$here/node_modules" "$new/"
  (cd "$new" 2>/dev/null || cd "$here" && do_ npm prune --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error) ||
    fail 'the packages of the checkout cannot be taken over' 70
else
  say 'packages (several minutes on a board: add-ons are compiled)'
  (cd "$new" 2>/dev/null || cd "$here" && do_ npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error) ||
    fail 'the packages cannot be fetched' 70
  (cd "$new" 2>/dev/null || cd "$here" && do_ bash scripts/libtensorflow-from-pypi/stage.sh &&
    do_ npm rebuild --loglevel=error @tensorflow/tfjs-node better-sqlite3 i2c-bus epoll) || fail 'the packages do not build' 70
fi
# What a board never reads: source maps (194 MB in TensorFlow.js alone) and compilers' leavings.
if [ -z "$dry" ]; then
  [ -n "$root" ] || add_ons_load "$new" ||
    fail "the packages do not fit Node.js $("$node" --version) on this machine: build them anew" 70
  echo "$abi" >"$new/node_modules/.abi"
  chmod -R a+rX "$new"
  find "$new" \( -name '*.map' -o -name obj.target -o -name 'build-tmp-napi-*' \) -prune -exec rm -rf {} +
fi
do_ rm -rf "$target.old"
[ ! -e "$target" ] || do_ mv "$target" "$target.old"
do_ mv "$new" "$target"
do_ rm -rf "$target.old"
do_ mkdir -p "$root/usr/local/bin" "$root/etc/qqr" "$root/etc/systemd/system" "$root/etc/sysusers.d" "$root/etc/udev/rules.d"
do_ ln -sfn "$prefix/dist/scripts/qqr.js" "$root/usr/local/bin/qqr"
do_ chmod 755 "$target/dist/scripts/qqr.js"

# 2. Account, groups, devices.
do_ cp "$here/systemd/qqr.sysusers" "$root/etc/sysusers.d/qqr.conf"
do_ cp "$here/systemd/99-qqr-edge.rules" "$root/etc/udev/rules.d/"
on_host make_account
if [ -z "$root" ] && command -v udevadm >/dev/null; then
  on_host udevadm control --reload 2>/dev/null || true
  # as if just found: rules for sysfs act on "add", and what is there already would wait for the next boot
  on_host udevadm trigger --action=add --subsystem-match=i2c-dev --subsystem-match=gpio --settle 2>/dev/null || true
fi

# 3. Settings, once: a board's name is its host's.
settings=$root/etc/qqr/$what.toml
if [ -e "$settings" ]; then
  say "settings kept: $settings"
elif [ $what = agent ]; then
  say "settings: $settings (edit them)"
  name=$(uname -n | tr -c 'A-Za-z0-9._\n-' - | cut -c1-64)
  [ -n "$dry" ] || sed "s/^device = .*/device = \"$name\"/" "$here/agent/config.sample.toml" >"$settings"
else
  say "settings: $settings (edit them)"
  do_ cp "$here/server/config.sample.toml" "$settings"
fi
[ -n "$dry" ] || chmod 640 "$settings"
[ -n "$root" ] || do_ chown root:qqr "$settings"

# 4. The service.
[ -n "$dry" ] || sed "s#@NODE@#$node#g; s#@PREFIX@#$prefix#g" "$here/systemd/$unit" >"$root/etc/systemd/system/$unit"
on_host systemctl daemon-reload
on_host systemctl enable --quiet "$unit"
if [ -n "$start" ] && [ -z "$root" ]; then
  if [ $what = agent ] && ! grep -q '^\[\[sensors\]\]' "$settings" 2>/dev/null; then
    say "not started: no sensor in $settings yet. 'qqr agent probe' shows what is wired; then: systemctl start $unit"
  else
    say "starting $unit"
    on_host systemctl restart "$unit"
  fi
  on_host systemctl try-restart "$(other_unit)" 2>/dev/null || true # it runs from the program that has just been replaced
fi
say "done: $unit. Logs: journalctl -u qqr-$what"
