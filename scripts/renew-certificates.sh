#!/bin/sh
# Renews the certificates in a folder that end within 30 days, and hands each one that has changed to a command that carries it to its place:
# HOOK NAME FOLDER. What the hook failed with is tried again the next time, since what has arrived is kept in FOLDER/carried to compare with.
# For systemd/qqr-renew.service, or cron. Status 75: some did not arrive.
set -eu
[ $# = 2 ] || { echo "usage: $0 FOLDER HOOK" >&2; exit 64; }
folder=$1
hook=$2
"${NODE:-node}" "$(dirname "$0")/../dist/scripts/qqr.js" provision renew --all --within 30 --dir "$folder"
mkdir -p "$folder/carried"
failed=
for path in "$folder"/*.crt; do
  name=$(basename "$path" .crt)
  if [ "$name" = ca ] || cmp -s "$path" "$folder/carried/$name.crt"; then continue; fi
  if "$hook" "$name" "$folder"; then cp "$path" "$folder/carried/"; else failed="$failed $name"; fi
done
[ -z "$failed" ] || { echo "not carried:$failed" >&2; exit 75; }
